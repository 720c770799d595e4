// The shape in which a turn starts another turn of its own and waits for it: here that is the summary of a long session,
// which is a request of the same turn, or a turn of its own for which nobody has to wait.
import { expect, test } from 'vitest'
import { Gate } from '../e2e/scripted-model.ts'
import { atEachLimit } from './house.ts'

/** A request for a summary names no session. */
const SUMMARIES = 'unknown'
const LONG = 'x'.repeat(60_000)

atEachLimit(house => {
  test('WAIT-40 W2: a turn that summarises its session first waits for nobody, with one place for all', async () => {
    const { model } = house
    for (const turn of [1, 2, 3, 4]) {
      model.script('agent:main:long', { text: LONG })
      await house.chat('long', `say ${turn}`, `long-${turn}`)
      await house.reply(`long-${turn}`)
    }
    const gate = new Gate()
    model.script(SUMMARIES, gate.hold({ text: 'the story so far' }))
    model.script('agent:main:long', ask => ({
      text: `knows: ${ask.messages[1]?.content?.includes('the story so far')}`,
    }))
    await house.chat('long', 'go on', 'long-5')
    await gate.reached
    expect((await house.client.call('status', {})).waits).toEqual([])
    gate.open()
    expect(await house.reply('long-5')).toBe('knows: true')
    expect(await house.inputsOf('long')).toEqual(['say 1', 'say 2', 'say 3', 'say 4', 'go on'])
  })

  test('WAIT-40 W6: a summary that is asked for comes in its turn, and holds nobody up who does not wait for it', async () => {
    const { model, client } = house
    for (const turn of [1, 2]) {
      model.script('agent:main:asked', { text: 'so '.repeat(100) })
      await house.chat('asked', `say ${turn}`, `asked-${turn}`)
      await house.reply(`asked-${turn}`)
    }
    const held = await house.heldTurn('asked', 'asked-3')
    const asked = await client.call('sessions.compact', { key: 'asked', maxLines: 1, waitSeconds: 0 })
    expect(asked).toMatchObject({ compacted: false, reason: 'still running' })
    const { runId } = asked as { runId: string }
    expect(await house.liveRuns('agent:main:asked')).toEqual(['running', 'queued'])
    model.script(SUMMARIES, { text: 'in short' })
    held.open()
    expect(await house.reply('asked-3')).toBe('held')
    expect(await house.reply(runId)).toMatch(/^Summarised the oldest 8 entries/)
  })
})
