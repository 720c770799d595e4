// The shapes in which a task speaks to the session that gave it: while that session waits for it, looks for it again and
// again, or talks about something else; and in which a task needs the place that its giver holds.
import { expect, test } from 'vitest'
import type { AgentEvent } from '../../src/protocol/events.ts'
import { call, Gate, resultOf, type Step } from '../e2e/scripted-model.ts'
import { atEachLimit, type House, send } from './house.ts'

const spawn = (args: object = {}): Step => call('sessions_spawn', { task: 'look it up', label: 'look', ...args })
const TOLD = 'System: the task "look" has ended: ok.\nFindings:\nfound'

/** The task that a session has given, once its turn has begun. */
async function taskOf({ client }: House, giver: string): Promise<{ runId: string; session: string }> {
  const began = await client.events.until(`the task of ${giver}`, ({ event, payload }) => {
    return event === 'agent' && (payload as AgentEvent).runId.startsWith(`spawn:session:agent:main:${giver}:`)
  })
  const { runId, session } = began.payload as AgentEvent
  return { runId, session }
}

const toldOf = ({ runId }: { runId: string }) => `told:${runId}`

atEachLimit(
  house => {
    test('WAIT-33 W5: a task that ends while its giver waits for it is taken by the wait, and not told', async () => {
      const { client, model } = house
      model.script('agent:main:waits', spawn({ waitSeconds: 600 }), ask => ({ text: `it ${resultOf(ask, 0).reply}` }))
      await house.chat('waits', 'begin', 'waits-1')
      const task = await taskOf(house, 'waits')
      await house.waits('waits-1', /^run:spawn:/)
      expect((await client.call('status', {})).runs).toMatchObject({ running: 2, queued: 0, parked: 1 })
      model.script(task.session, { text: 'found' })
      expect(await house.reply('waits-1')).toBe('it found')
      // Whoever ends last tells: had it been told, the turn that hears it would be there by now.
      expect(await house.liveRuns('waits')).toEqual([])
      expect(await house.inputsOf('waits')).toEqual(['begin'])
    })

    test('WAIT-33 W2: a task that ends while its giver talks is told once, as its next input', async () => {
      const { client, model } = house
      const gate = new Gate()
      model.script(
        'agent:main:talks',
        spawn(),
        send('other'),
        { text: 'talked' },
        { text: 'heard' },
        { text: 'and you' },
      )
      model.script('agent:main:other', gate.hold({ text: 'other' }))
      await house.chat('talks', 'begin', 'talks-1')
      const task = await taskOf(house, 'talks')
      model.script(task.session, { text: 'found' })
      expect(await house.reply(task.runId)).toBe('found')
      await gate.reached
      await house.chat('talks', 'and you?', 'talks-2')
      expect(await house.liveRuns('talks')).toEqual(['running', 'queued', 'queued'])
      expect((await client.call('waits.list', {})).waits.map(({ waiter }) => waiter)).toContain(`run:${toldOf(task)}`)
      expect(gate.isOpen).toBe(false)
      gate.open()
      expect(await house.reply('talks-1')).toBe('talked')
      expect(await house.reply(toldOf(task))).toBe('heard')
      expect(await house.reply('talks-2')).toBe('and you')
      expect(await house.inputsOf('talks')).toEqual(['begin', TOLD, 'and you?'])
    })

    test('WAIT-33 W2: who looks for the end of a task again and again is told of it once, afterwards', async () => {
      const { model, limit } = house
      const gate = new Gate()
      const look: Step = ask => {
        const { childSessionKey } = resultOf(ask, 0)
        return { calls: [{ name: 'sessions_history', args: { sessionKey: childSessionKey } }] }
      }
      const sees: Step = ask => ({ text: `saw it: ${ask.results.at(-1)?.includes('"found"')}` })
      model.script('agent:main:looks', spawn(), look, gate.hold(look), sees, { text: 'heard' })
      await house.chat('looks', 'begin', 'looks-1')
      await gate.reached
      // With one place the task begins when the turn that looks for it has come to its end.
      const task = limit > 1 ? await taskOf(house, 'looks') : undefined
      if (task) {
        model.script(task.session, { text: 'found' })
        expect(await house.reply(task.runId)).toBe('found')
      }
      expect(gate.isOpen).toBe(false)
      gate.open()
      expect(await house.reply('looks-1')).toBe(`saw it: ${limit > 1}`)
      const { runId, session } = await taskOf(house, 'looks')
      if (!task) model.script(session, { text: 'found' })
      expect(await house.reply(toldOf({ runId }))).toBe('heard')
      expect(await house.inputsOf('looks')).toEqual(['begin', TOLD])
    })

    test('WAIT-33 W5: a task whose own task needs the only place for tasks gives it up while it waits', async () => {
      const { client, model } = house
      model.script('agent:main:root', spawn({ waitSeconds: 600 }), ask => ({ text: `root: ${resultOf(ask, 0).reply}` }))
      await house.chat('root', 'begin', 'root-1')
      const child = await taskOf(house, 'root')
      model.script(child.session, spawn({ waitSeconds: 600 }), ask => ({ text: `child: ${resultOf(ask, 0).reply}` }))
      const grandchild = await taskOf(house, child.session.replace('agent:main:', ''))
      expect((await client.call('status', {})).pools).toContainEqual(
        expect.objectContaining({ name: 'subagents', limit: 1, taken: 1 }),
      )
      model.script(grandchild.session, { text: 'found' })
      expect(await house.reply('root-1')).toBe('root: child: found')
    })
  },
  {
    config: { tools: { subagents: { tools: { allow: ['sessions_spawn'] } } } },
    defaults: { subagents: { maxConcurrent: 1 } },
  },
)
