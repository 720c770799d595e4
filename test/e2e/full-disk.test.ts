// A disk that is full: what cannot be kept is refused, what was accepted is not lost, control answers all the while, and
// with room again the gateway goes on. A bound on the size of its files stands for the disk.
import { afterEach, expect, test } from 'vitest'
import { Scope } from './gateway-process.ts'
import { agentJob } from './jobs.ts'
import { startScriptedModel } from './scripted-model.ts'

const scope = new Scope()
afterEach(() => scope.end())

const FILE_KB_MAX = 1_500
const MESSAGES_MAX = 200

test('L1: a message that cannot be written is refused; what was accepted is answered after a start with room', async () => {
  const model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  const gateway = await scope.gateway({ config: model.config(), fileKbMax: FILE_KB_MAX })
  const client = await gateway.client()
  const job = await client.call('cron.add', agentJob('before'))
  const accepted: string[] = []
  let refusal: unknown
  while (refusal === undefined && accepted.length < MESSAGES_MAX) {
    const runId = `full-${accepted.length}`
    const sent = client.call('chat.send', { sessionKey: runId, message: 'x'.repeat(90_000), idempotencyKey: runId })
    await sent.then(
      () => accepted.push(runId),
      error => {
        refusal = error
      },
    )
  }
  expect(refusal).toMatchObject({ code: 'STORE_FAILED', message: expect.stringMatching(/sluice\.db failed/) })
  expect(accepted.length).toBeGreaterThan(0)
  const { ok, store } = await client.call('health', {})
  expect([ok, store.failing]).toEqual([
    true,
    expect.stringMatching(/sluice\.db failed .*(free some space|Check the disk)/),
  ])
  expect((await gateway.cli(['status'])).stdout).toMatch(/failing +.*sluice\.db failed/)
  expect((await client.call('cron.list', {})).jobs.map(({ id }) => id)).toEqual([job.id])
  await gateway.kill()
  for (const runId of accepted)
    model.script(`agent:main:${runId}`, ...Array.from({ length: 3 }, () => ({ text: runId })))
  await gateway.start({})
  const after = await gateway.client()
  expect((await after.call('health', {})).store.failing).toBeUndefined()
  for (const runId of accepted) {
    expect(await after.call('agent.wait', { runId })).toMatchObject({ runId, status: 'ok' })
  }
})
