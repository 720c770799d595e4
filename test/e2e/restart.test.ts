// A restart asked for from outside: by the command line or a client, once or again and again, at the instant at which a
// job is due, and with a config with which it would not come back. The process stays the same, the gateway in it does not.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from './free-port.ts'
import { type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { agentJob } from './jobs.ts'
import { Gate, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const RESTARTS = 4
const SECOND_MS = 1_000

const scope = new Scope()
let model: ScriptedModel

beforeEach(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
})
afterEach(() => scope.end())

/** A gateway that keeps its port over restarts. */
async function start(): Promise<{ gateway: GatewayProcess; client: TestClient }> {
  const gateway = await scope.gateway({ config: model.config(), port: await freePort() })
  return { gateway, client: await gateway.client() }
}

async function restart(gateway: GatewayProcess, client: TestClient): Promise<TestClient> {
  await client.call('gateway.restart', { delayMs: 0 })
  expect(await client.client.closed).toMatchObject({ code: 1012 })
  await gateway.restarted()
  return await gateway.client()
}

test('W7: the command line restarts a gateway while a turn is held; the turn goes on, and the next epoch answers', async () => {
  const { gateway, client } = await start()
  const gate = new Gate()
  model.script('agent:main:held', gate.hold({ text: 'went on' }), gate.hold({ text: 'went on' }))
  await client.call('chat.send', { sessionKey: 'held', message: 'begin', idempotencyKey: 'held-1' })
  await gate.reached
  const before = await client.call('status', {})
  const restarted = gateway.cli(['gateway', 'restart', '--reason', 'to be\u0007fresh', '--delay', '0s', '--json'])
  const { payload } = await client.events.until('the shutdown', ({ event }) => event === 'shutdown')
  expect(payload).toEqual({ reason: 'gateway restarting', restartExpectedMs: expect.any(Number) })
  expect(await client.client.closed).toMatchObject({ code: 1012 })
  await gateway.restarted()
  const { code, stdout } = await restarted
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { ok: true, epoch: before.epoch + 1 }])
  expect(gate.isOpen).toBe(false)
  const after = await gateway.client()
  expect(await after.call('status', {})).toMatchObject({ pid: before.pid, epoch: before.epoch + 1 })
  gate.open()
  expect(await after.call('agent.wait', { runId: 'held-1' })).toMatchObject({ status: 'ok' })
  expect(gateway.output.match(/Restarting/g)).toHaveLength(1)
})

test('L3 T3: a job that is due while the gateway restarts fires once, and is told once', async () => {
  const { gateway, client } = await start()
  // The restart is asked for last: a slow machine adds all of them before it, too.
  const restartAtMs = Date.now() + 500
  const jobs = []
  for (const offsetMs of [-50, 0, 50, 200]) {
    const text = { kind: 'message', text: `due at ${offsetMs}` } as const
    const schedule = { kind: 'at', atMs: restartAtMs + offsetMs } as const
    jobs.push(await client.call('cron.add', { ...agentJob(text.text), payload: text, schedule }))
  }
  await client.call('gateway.restart', { delayMs: Math.max(0, restartAtMs - Date.now()) })
  await gateway.restarted()
  const after = await gateway.client()
  for (const job of jobs) {
    // Its end is in the ledger by now, or is still to be heard.
    const { entries } = await after.call('cron.runs', { jobId: job.id })
    if (entries.length === 0) await after.events.cron(job.id, 'finished')
    expect((await after.call('cron.runs', { jobId: job.id })).entries).toMatchObject([{ state: 'ok' }])
  }
  const { notices } = await after.call('chat.unread', { sessionKey: 'main' })
  expect(notices.map(({ text }) => text).sort()).toEqual(jobs.map(({ name }) => name).sort())
})

test('L3 T3: over restarts in a row there is one scheduler, and each instant of a job is accounted for once', async () => {
  const { gateway, client: first } = await start()
  const schedule = { kind: 'every', everyMs: SECOND_MS, anchorMs: Date.now() } as const
  const payload = { kind: 'message', text: 'tick' } as const
  const job = await first.call('cron.add', { ...agentJob('every second'), payload, schedule })
  const { pid, epoch } = await first.call('status', {})
  let client = first
  for (let count = 1; count <= RESTARTS; count += 1) {
    client = await restart(gateway, client)
    expect(await client.call('status', {})).toMatchObject({ pid, epoch: epoch + count })
  }
  await client.events.cron(job.id, 'finished')
  await client.call('cron.update', { jobId: job.id, patch: { enabled: false } })
  const { entries } = await client.call('cron.runs', { jobId: job.id })
  const instants = entries.flatMap(({ nominalAtMs = Number.NaN, count = 1 }) =>
    Array.from({ length: count }, (_, index) => nominalAtMs + index * SECOND_MS),
  )
  expect(instants).toEqual(instants.map((_, index) => (instants[0] as number) + index * SECOND_MS))
  const { notices } = await client.call('chat.unread', { sessionKey: 'main' })
  expect(notices).toHaveLength(entries.filter(({ state }) => state === 'ok').length)
})

test('a gateway that would not come back is not restarted, and says what to correct', async () => {
  const { gateway, client } = await start()
  const path = join(gateway.stateDir, 'sluice.json')
  const good = readFileSync(path, 'utf8')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(good), cron: { enabled: 'perhaps' } }))
  const refused = await gateway.cli(['gateway', 'restart'])
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toMatch(/Not restarted: .*sluice\.json.*cron\.enabled/s)
  const { epoch } = await client.call('status', {})
  writeFileSync(path, good)
  expect(await (await restart(gateway, client)).call('status', {})).toMatchObject({ epoch: epoch + 1 })
})

test('whom nobody reads any more restarts and stops as before: its output is not what it is for', async () => {
  const { gateway, client } = await start()
  const { epoch } = await client.call('status', {})
  gateway.unread()
  const { code, stdout } = await gateway.cli(['gateway', 'restart', '--delay', '0s', '--json'])
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { ok: true, epoch: epoch + 1 }])
  await gateway.stop()
  expect(gateway.log().at(-1)).toMatchObject({ msg: 'stopped' })
})
