// After a SIGKILL in the middle of its work two gateways are started at once on the state that it left: one of them owns
// each occurrence, the other does not start, and the ledger has every instant once.
import { afterEach, expect, test } from 'vitest'
import { Scope } from './gateway-process.ts'

const scope = new Scope()
afterEach(() => scope.end())

test('T3: of two gateways on the state of one that was killed, one owns every occurrence', async () => {
  const first = await scope.gateway()
  const before = await first.client()
  const job = await before.call('cron.add', {
    name: 'second by second',
    schedule: { kind: 'every', everyMs: 1_000 },
    payload: { kind: 'message', text: 'x' },
    sessionTarget: 'main',
    wakeMode: 'now',
    enabled: true,
    policy: { catchUp: 'all' },
  })
  await before.events.cron(job.id, 'finished')
  await first.kill()
  const { stateDir } = first
  const both = await Promise.allSettled([scope.gateway({ stateDir }), scope.gateway({ stateDir })])
  const owners = both.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  expect(owners).toHaveLength(1)
  const after = await owners[0]?.client()
  await after?.events.cron(job.id, 'finished')
  const { entries } = (await after?.call('cron.runs', { id: job.id, limit: 500 })) ?? { entries: [] }
  const instants = entries.map(({ nominalAtMs = 0 }) => (nominalAtMs - job.createdAtMs) / 1_000)
  expect(instants).toEqual(instants.map((_, index) => index + 1))
  expect(new Set(entries.map(({ state }) => state))).toEqual(new Set(['ok']))
})
