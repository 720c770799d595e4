// The ledger's pages: what is rare is found however much lies above it, and each row is on one page.
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { MINUTE } from '../../src/base/durations.ts'
import { calls, type House, openHouse, text } from '../fakes/house.ts'

let one: House
afterEach(() => one.close())

/** Rows as they are after long: one that went well at the bottom, and thousands that were missed above it. */
async function filled(count: number) {
  one = await openHouse(() => text('done'))
  const job = async (name: string) => {
    const schedule = { kind: 'every', everyMs: 1e9 }
    return (await one.call('cron.add', { name, schedule, payload: { kind: 'message', text: 'x' } })).id
  }
  const [main, other] = [await job('main'), await job('other')]
  await one.call('cron.run', { id: other, mode: 'force' })
  const db = new Database(join(one.folder, 'sluice.db'))
  const insert =
    db.prepare(`INSERT INTO occurrences (job_id, occurrence, nominal_at_ms, state, claimed_at_ms, ended_at_ms, epoch)
    VALUES (?, ?, ?, 'skipped', ?, ?, 1)`)
  const atMs = one.clock.now()
  db.transaction(() => {
    for (let n = 1; n <= count; n += 1) {
      const claimedAtMs = atMs + Math.floor(n / 2)
      insert.run(main, `at:${n}`, n, claimedAtMs, claimedAtMs)
    }
  })()
  db.close()
  return { main, other }
}

test('L3: a state that is rare is found below 6,000 rows of others, and pages miss and repeat nothing', async () => {
  const { main, other } = await filled(6_000)
  const rare = await one.call('cron.history', { states: ['ok'], limit: 5 })
  expect(rare.entries).toMatchObject([{ jobId: other, state: 'ok' }])
  const seen: (number | undefined)[] = []
  for (let before: number | undefined; ; ) {
    const { entries } = await one.call('cron.runs', { id: main, limit: 701, ...(before !== undefined && { before }) })
    seen.unshift(...entries.map(({ nominalAtMs }) => nominalAtMs))
    before = entries[0]?.seq
    if (before === undefined) break
  }
  expect(seen).toEqual(Array.from({ length: 6_000 }, (_, index) => index + 1))
  expect((await one.call('cron.history', { limit: 5_000 })).entries).toHaveLength(5_000)
  const span = await one.call('cron.runs', { id: main, sinceMs: one.clock.now() + 10, untilMs: one.clock.now() + 12 })
  expect(span.entries.map(({ nominalAtMs }) => nominalAtMs)).toEqual([20, 21, 22, 23])
})

test('a turn asks for the history of all jobs, and when one runs next, with the cron tool', async () => {
  const actions = [
    { action: 'history', states: ['ok'], limit: 3 },
    { action: 'next', limit: 2 },
    { action: 'list', madeBy: 'agent' },
  ]
  let asked = 0
  let jobId = ''
  one = await openHouse(() => {
    asked += 1
    const action = actions[asked - 1]
    return action ? calls({ name: 'cron', args: { ...action, jobId } }) : text('done')
  })
  jobId = (
    await one.call('cron.add', {
      ...{ name: 'tea', schedule: { kind: 'cron', expr: '0 16 * * *' }, payload: { kind: 'message', text: 'Tea' } },
    })
  ).id
  await one.call('cron.run', { id: jobId, mode: 'force' })
  await one.call('chat.send', { sessionKey: 'main', message: 'go', idempotencyKey: 'go' })
  await one.call('agent.wait', { runId: 'go', timeoutMs: MINUTE })
  const results = one.store.read
    .runEntries('go')
    .flatMap(({ body }) => (body.kind === 'result' ? [JSON.parse(body.text)] : []))
  expect(results).toMatchObject([
    { entries: [{ jobId, state: 'ok' }] },
    { times: [expect.stringMatching(/16:00.*\+01:00/), expect.stringMatching(/16:00/)], delivery: { to: 'session' } },
    { jobs: [], total: 0 },
  ])
})
