import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../fakes/clock.ts'
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { eventually, run, type TestShell, testShell } from './test-shell.ts'

let clock: FakeClock
let gateway: FakeGateway
let shell: TestShell
let epoch: number
beforeEach(async () => {
  clock = new FakeClock()
  epoch = 7
  gateway = await fakeGateway()
  shell = testShell(gateway.url, { clock })
  scripted(gateway)
})
afterEach(() => gateway.close())

function scripted(fake: FakeGateway): void {
  fake.on('status', ({ answer }) => answer({ epoch }))
  fake.on('gateway.restart', ({ asked: { params }, answer }) =>
    answer({ ok: true, restartAtMs: 1, delayMs: params.delayMs ?? 1_000 }),
  )
}
/** Lets time pass once the command waits for it. */
async function waitsFor(spanMs: number): Promise<void> {
  await eventually(() => expect(clock.timers).toBe(1))
  await clock.advance(spanMs)
}

test('W7: a restart is done when another epoch answers, not before', async () => {
  const { port } = gateway
  const ended = run(shell, 'gateway', 'restart', '--reason', 'new config', '--delay', '3s')
  await waitsFor(2_999)
  expect(gateway.paramsOf('status')).toHaveLength(1)
  await clock.advance(1)
  // The old one still answers; then nobody; then the next.
  await eventually(() => expect(gateway.paramsOf('status')).toHaveLength(2))
  expect(gateway.paramsOf('gateway.restart')).toEqual([
    { reason: 'new config', delayMs: 3_000, idempotencyKey: expect.any(String) },
  ])
  await eventually(() => expect(clock.timers).toBe(1))
  await gateway.close()
  await clock.advance(500)
  await eventually(() => expect(clock.timers).toBe(1))
  expect(shell.out).toBe('')
  gateway = await fakeGateway({ port })
  scripted(gateway)
  epoch = 8
  await clock.advance(500)
  expect([await ended, shell.out]).toEqual([0, 'The gateway has restarted and answers (epoch 8).\n'])
})

test('W6: one that does not come back is not waited for without end, and the last answer is told', async () => {
  const ended = run(shell, 'gateway', 'restart', '--json')
  await waitsFor(1_000)
  await waitsFor(500)
  await eventually(() => expect(clock.timers).toBe(1))
  await gateway.close()
  await clock.advance(60_000)
  await waitsFor(60_000)
  expect(await ended).toBe(1)
  const { error } = JSON.parse(shell.out)
  expect(error).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' })
  expect(error.message).toMatch(/no new one answered within 2m\. No gateway answers at .* Its log says more\./)
})

test('W6: a restart that cuts off its own answer is known by the next epoch, and without that it is not known', async () => {
  gateway.on('gateway.restart', ({ drop }) => {
    epoch = 8
    drop(1012, 'service restart')
  })
  expect(await run(shell, 'gateway', 'restart', '--no-wait', '--json')).toBe(1)
  expect(JSON.parse(shell.out).error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' })
  epoch = 7
  const ended = run(shell, 'gateway', 'restart', '--delay', '0s')
  await waitsFor(0)
  expect(await ended).toBe(0)
  expect(shell.out).toContain('answers (epoch 8)')
  gateway.on('gateway.restart', ({ drop }) => drop(1001, 'going away'))
  expect(await run(shell, 'gateway', 'restart')).toBe(1)
})

test('--no-wait does not wait; what the gateway answers is the JSON', async () => {
  expect(await run(shell, 'gateway', 'restart', '--no-wait')).toBe(0)
  expect(shell.out).toBe('The gateway restarts in 1s.\n')
  shell.out = ''
  expect(await run(shell, 'gateway', 'restart', '--no-wait', '--json')).toBe(0)
  expect(JSON.parse(shell.out)).toEqual({ ok: true, restartAtMs: 1, delayMs: 1_000 })
  expect(clock.timers).toBe(0)
})

test('what is written wrongly, and what the gateway refuses', async () => {
  expect(await run(shell, 'gateway', 'restart', '--delay', '5')).toBe(2)
  expect(shell.err).toMatch(/--delay needs a duration with its unit/)
  expect(await run(shell, 'gateway', 'restart', '--reason', ' ')).toBe(2)
  expect(gateway.asked).toEqual([])
  gateway.on('gateway.restart', ({ refuse }) => refuse({ code: 'INVALID_REQUEST', message: 'the config is invalid' }))
  shell.err = ''
  expect(await run(shell, 'gateway', 'restart')).toBe(1)
  expect(shell.err).toBe('Error: the config is invalid\n')
})
