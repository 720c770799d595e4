// W6 end to end, within one process: a tool's own time-out with the store held, before and after its commit.
import { afterEach, describe, expect, test } from 'vitest'
import { HOUR } from '../../src/base/durations.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const job = { name: 'n', schedule: { kind: 'every', everyMs: HOUR }, payload: { kind: 'message', text: 't' } }
const config = { tools: { cron: { timeoutMs: 200 } } }

/** A house whose only turn adds a job; the test holds the store from the moment the call is made. */
async function adding(clock: FakeClock, store: NonNullable<HouseOptions['store']>): Promise<House> {
  const one = await openHouse(
    ({ messages }) =>
      messages.at(-1)?.role === 'tool' ? text('done') : calls({ name: 'cron', args: { action: 'add', job } }),
    { config, clock, store },
  )
  open.push(one)
  return one
}

const resultOf = (one: House) =>
  one.store.read.runEntries('add').flatMap(({ body }) => (body.kind === 'result' ? [JSON.parse(body.text)] : []))[0]

describe('W6: tools.cron.timeoutMs with the store held at a gate', () => {
  test('W6: before execution the error says not-started, and no job is made', async () => {
    const clock = new FakeClock()
    let held: Promise<void> | undefined
    const gate = Promise.withResolvers<void>()
    const one = await adding(clock, { gate: () => held })
    one.hub.listen(({ event, payload }) => {
      if (event === 'agent' && (payload as { stream: string }).stream === 'tool') held ??= gate.promise
    })
    const running = one.call('agent', { message: 'go', sessionKey: 'main', idempotencyKey: 'add' })
    await settled()
    await clock.advance(250)
    held = undefined
    gate.resolve()
    await running
    expect(resultOf(one)).toMatchObject({
      status: 'error',
      code: 'TIMEOUT',
      outcome: 'not-started',
      error: expect.stringContaining('200 ms'),
    })
    expect(one.store.read.jobCount({ includeDisabled: true })).toBe(0)
  })

  test('W6: after the commit the error says committed and carries the job, and it is there once', async () => {
    const clock = new FakeClock()
    let late = false
    const one = await adding(clock, {
      hooks: {
        commit: commit => {
          commit()
          if (!late) return
          late = false
          clock.leap(250)
        },
      },
    })
    one.hub.listen(({ event, payload }) => {
      late ||= event === 'agent' && JSON.stringify(payload).includes('"phase":"start","name":"cron"')
    })
    await one.call('agent', { message: 'go', sessionKey: 'main', idempotencyKey: 'add' })
    const [made] = (await one.call('cron.list')).jobs
    expect(resultOf(one)).toMatchObject({ status: 'error', outcome: 'committed', result: { id: made?.id, name: 'n' } })
    expect(one.store.read.jobCount({ includeDisabled: true })).toBe(1)
  })
})
