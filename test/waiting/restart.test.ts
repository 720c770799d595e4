// The shape in which a turn restarts the gateway that waits for it: by the tool, by a command, and while another turn
// waits for it. The restart waits for no turn and cuts none off, and what was accepted is done after it, once.
import { expect, test } from 'vitest'
import type { TestClient } from '../e2e/gateway-process.ts'
import { agentJob, jobSession } from '../e2e/jobs.ts'
import { Gate, resultOf, type Step } from '../e2e/scripted-model.ts'
import { atEachLimit, exec, type House, send } from './house.ts'

const RESTARTED = 'goes on afterwards by itself'
const restart = (delayMs: number) => ({ name: 'gateway', args: { action: 'restart', delayMs, reason: 'to be fresh' } })
const said: Step = ask => ({ text: `said ${ask.user}` })

/** All clients are told and cut; then the same process is the next gateway. */
async function restarts(house: House, clients: readonly TestClient[]): Promise<void> {
  for (const { client, events } of clients) {
    const { payload } = await events.until('the shutdown', ({ event }) => event === 'shutdown')
    expect(payload).toEqual({ reason: 'gateway restarting', restartExpectedMs: expect.any(Number) })
    expect(await client.closed).toMatchObject({ code: 1012 })
  }
  await house.restarted()
}

async function textsOf({ client }: House, sessionKey: string): Promise<string[]> {
  const { messages } = await client.call('chat.history', { sessionKey })
  return messages.filter(({ role }) => role !== 'toolResult').flatMap(({ content }) => content[0]?.text ?? [])
}

atEachLimit(
  house => {
    test('WAIT-38 W7: a turn restarts its gateway, and goes on after it by itself, as do all others', async () => {
      const { client, model, limit } = house
      const other = await house.gateway.client()
      const [asks, gate] = [new Gate(), new Gate()]
      const fresh = 'agent:main:fresh'
      const twice = asks.hold({ calls: [restart(3_000), restart(0)] })
      model.script(fresh, twice, ...[1, 2, 3].map(() => gate.hold(said)))
      await house.chat('fresh', 'begin', 'fresh-1')
      await asks.reached
      await house.chat('fresh', 'and then', 'fresh-2')
      const job = await client.call('cron.add', {
        ...agentJob('due before'),
        schedule: { kind: 'at', atMs: Date.now() },
      })
      const jobGate = new Gate()
      model.script(jobSession(job), jobGate.hold(said), jobGate.hold(said), { text: 'twice' })
      await client.events.cron(job.id, 'started')
      if (limit > 1) await jobGate.reached
      const before = await client.call('status', {})
      // All else is ready: what comes now has to come before the restart does.
      asks.open()
      const [first, second] = (await gate.reached).results.map(text => JSON.parse(text))
      expect(first).toMatchObject({ ok: true, message: expect.stringContaining(RESTARTED) })
      // A restart that is asked for meanwhile, here or outside, is the same.
      expect(second.restartAtMs).toBe(first.restartAtMs)
      expect(await client.call('gateway.restart', {})).toMatchObject({ restartAtMs: first.restartAtMs })
      await restarts(house, [client, other])
      expect(await house.client.call('status', {})).toMatchObject({ epoch: before.epoch + 1, pid: before.pid })
      expect([gate.isOpen, jobGate.isOpen]).toEqual([false, false])
      gate.open()
      jobGate.open()
      for (const runId of ['fresh-1', 'fresh-2']) {
        expect(await house.client.call('agent.wait', { runId })).toMatchObject({ status: 'ok' })
      }
      expect(await textsOf(house, 'fresh')).toEqual(['begin', 'said begin', 'and then', 'said and then'])
      expect(model.asks(fresh).at(-2)?.results[0]).toContain(RESTARTED)
      await house.client.events.cron(job.id, 'finished')
      expect((await house.client.call('cron.runs', { jobId: job.id })).entries).toMatchObject([{ state: 'ok' }])
      expect((await house.client.call('status', {})).epoch).toBe(before.epoch + 1)
    })

    test('WAIT-38 W5 W7: a turn for which another waits restarts the gateway, and both go on', async () => {
      const { client, model } = house
      const gate = new Gate()
      model.script('agent:main:waits', send('does'), ask => ({ text: `it ${resultOf(ask, 0).reply}` }))
      model.script('agent:main:does', { calls: [restart(0)] }, gate.hold({ text: 'did' }), gate.hold({ text: 'did' }))
      await house.chat('waits', 'begin', 'waits-1')
      await restarts(house, [client])
      expect(gate.isOpen).toBe(false)
      gate.open()
      expect(await house.client.call('agent.wait', { runId: 'waits-1' })).toMatchObject({ status: 'ok' })
      expect((await textsOf(house, 'waits')).at(-1)).toBe('it did')
      expect(await house.inputsOf('does')).toHaveLength(1)
    })

    test('WAIT-38 W1 W7: a command of a turn restarts the gateway; it ends with it, and is not run again', async () => {
      const { client, model } = house
      const gate = new Gate()
      const heard = gate.hold(ask => ({ text: String(ask.results[0]) }))
      model.script('agent:main:command', exec(['gateway', 'restart', '--delay', '0s']), heard, heard)
      await house.chat('command', 'begin', 'command-1')
      const { epoch } = await client.call('status', {})
      await restarts(house, [client])
      expect((await gate.reached).results).toHaveLength(1)
      gate.open()
      expect(await house.client.call('agent.wait', { runId: 'command-1' })).toMatchObject({ status: 'ok' })
      expect((await textsOf(house, 'command')).at(-1)).toContain('interrupted, outcome unknown')
      expect((await house.client.call('status', {})).epoch).toBe(epoch + 1)
    })
  },
  { config: { tools: { exec: { security: 'full', ask: 'off' } } } },
)
