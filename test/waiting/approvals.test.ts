// The shape in which a person's yes queues behind the turn that waits for it. The turn asks before it runs a command;
// meanwhile everything else is answered, and each way to say yes or no arrives: the next message, a command, a button.
import { expect, test } from 'vitest'
import type { ApprovalRequestedEvent } from '../../src/protocol/events.ts'
import { call, resultOf, type Step } from '../e2e/scripted-model.ts'
import { atEachLimit, type House, send } from './house.ts'

const EXEC = { security: 'allowlist', ask: 'on-miss', allow: [] }
const COMMAND = ['node', '-p', '6*7']
const RAN = '42\n'

/** What came of the command. */
const outcome: Step = ask => ({ text: String(resultOf(ask, 0).output ?? resultOf(ask, 0).error) })

/** A turn that waits for a yes or no; answers the question's id. */
async function asking(house: House, session: string): Promise<string> {
  const key = `agent:main:${session}`
  house.model.script(key, call('exec', { command: COMMAND }), outcome)
  await house.chat(session, 'begin', `${session}-1`)
  const requested = (event: { event: string; payload: object }) =>
    event.event === 'exec.approval.requested' && (event.payload as ApprovalRequestedEvent).request.sessionKey === key
  const { payload } = await house.client.events.until(`the question of ${session}`, requested)
  const { id } = payload as unknown as ApprovalRequestedEvent
  await house.waits(`${session}-1`, /^approval:/)
  return id
}

atEachLimit(
  house => {
    test('WAIT-34 W7: while a turn waits for a yes all else is answered, and the next message in its chat is the answer', async () => {
      const { client } = house
      const id = await asking(house, 'chat')
      expect(await client.call('health', {})).toMatchObject({ ok: true })
      expect(await client.call('status', {})).toMatchObject({ runs: { running: 1, parked: 1 }, pendingApprovals: 1 })
      expect((await client.call('waits.list', {})).waits).toMatchObject([
        { waiter: 'run:chat-1', target: `approval:${id}` },
      ])
      expect((await client.call('approvals.list', { sessionKey: 'chat' })).approvals).toMatchObject([{ id }])
      expect((await client.call('sessions.list', {})).sessions.map(({ key }) => key)).toContain('agent:main:chat')
      expect(await client.call('cron.list', {})).toMatchObject({ total: 0 })
      const answer = await house.chat('chat', 'yes', 'chat-2')
      expect(answer).toEqual({ runId: 'chat-2', status: 'ok', approvals: [{ id, state: 'allowed' }] })
      expect(await house.reply('chat-1')).toBe(RAN)
      expect(await house.liveRuns('chat')).toEqual([])
      expect(house.asksOf('chat')).toBe(2)
    })

    test('WAIT-34 W7: the yes of a command and that of a button do not wait for the turn either', async () => {
      const { client, gateway } = house
      const ids = [await asking(house, 'command'), await asking(house, 'button')] as const
      expect((await gateway.cli(['approvals'])).stdout).toContain(ids[0])
      expect(await gateway.cli(['approve', ids[0]])).toMatchObject({ code: 0, stderr: '' })
      const pressed = await client.call('exec.approval.resolve', { id: ids[1], decision: 'allow-once' })
      expect(pressed).toEqual({ ok: true, state: 'allowed', decided: true })
      expect(await Promise.all(['command-1', 'button-1'].map(runId => house.reply(runId)))).toEqual([RAN, RAN])
    })

    test('WAIT-34 W5: while turns wait for a yes, as many others as there is room for go on', async () => {
      const { client, model, limit } = house
      const waiting = Array.from({ length: limit + 1 }, (_, index) => `asks-${index}`)
      for (const session of waiting) await asking(house, session)
      expect((await client.call('status', {})).runs).toMatchObject({ running: limit + 1, parked: limit + 1, queued: 0 })
      const others = Array.from({ length: limit }, (_, index) => `goes-on-${index}`)
      const gates = await Promise.all(others.map(session => house.heldTurn(session, session)))
      for (const gate of gates) gate.open()
      expect(await Promise.all(others.map(session => house.reply(session)))).toEqual(others.map(() => 'held'))
      // And one that waits for a turn that waits for a person.
      const [first = '', ...rest] = waiting
      model.script('agent:main:asks-too', send(first), ask => ({ text: `it said ${resultOf(ask, 0).reply}` }))
      model.script(`agent:main:${first}`, { text: 'later' })
      await house.chat('asks-too', 'begin', 'asks-too-1')
      await house.waits('asks-too-1', new RegExp(`^lane:agent:main:${first}$|^run:`))
      for (const session of rest) await house.chat(session, 'no', `${session}-no`)
      await house.chat(first, 'use a pen', `${first}-no`)
      expect(await house.reply(`${first}-1`)).toContain('the person said no and wrote: use a pen')
      for (const session of rest) expect(await house.reply(`${session}-1`)).toContain('the person said no')
      expect(await house.reply('asks-too-1')).toBe('it said later')
    })

    test('WAIT-34 W7: no turn says yes for a person; a stop ends the wait, and nothing is run', async () => {
      const { client, model } = house
      const id = await asking(house, 'asked')
      model.script('agent:main:other', send('asked', { message: 'yes', timeoutSeconds: 0 }), { text: 'said it' })
      await house.chat('other', 'begin', 'other-1')
      expect(await house.reply('other-1')).toBe('said it')
      expect((await client.call('approvals.list', {})).approvals).toMatchObject([{ id }])
      expect(await house.liveRuns('asked')).toEqual(['running', 'queued'])
      expect(await house.chat('asked', '/stop', 'asked-stop')).toMatchObject({ aborted: true })
      expect((await client.events.ended('asked-1')).state).toBe('aborted')
      expect((await client.call('approvals.list', {})).approvals).toEqual([])
      expect(await client.call('exec.approval.resolve', { id, decision: 'allow-once' })).toMatchObject({
        ...{ state: 'cancelled', decided: false },
      })
      expect(house.asksOf('asked')).toBe(1)
    })

    test('WAIT-34 W7: a stop of the gateway waits for no person, who is asked the same after it, once', async () => {
      const id = await asking(house, 'stays')
      expect(await house.gateway.stop()).toMatchObject({ code: 0 })
      await house.again()
      expect((await house.client.call('approvals.list', {})).approvals).toMatchObject([{ id }])
      expect(await house.chat('stays', 'yes', 'stays-2')).toMatchObject({ approvals: [{ id, state: 'allowed' }] })
      expect(await house.reply('stays-1')).toBe(RAN)
      expect(house.asksOf('stays')).toBe(2)
    })
  },
  { config: { tools: { exec: EXEC } } },
)
