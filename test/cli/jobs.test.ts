// The scheduler's jobs on the command line: their policies, what became of them, and when they come.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FakeGateway } from './fake-gateway.ts'
import { ID, job, jobGateway, NOW, runOn } from './job-gateway.ts'

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await jobGateway()
})
afterEach(() => gateway.close())
const cli = (...args: string[]) => runOn(gateway, args)

describe('policies, the ledger and the next times', () => {
  const row = (more: object) => ({
    ...{ ts: NOW, jobId: ID, action: 'finished', status: 'ok', state: 'ok', summary: 'done', runAtMs: NOW },
    ...{ durationMs: 1200, occurrence: 'o', seq: 7, lagMs: 0, ...more },
  })

  test.each(['runs', 'history'] as const)(
    '%s: filters and pages go to the gateway; what a run took is shown',
    async name => {
      const used = {
        seq: 8,
        lagMs: 65_000,
        attempt: 3,
        inputTokens: 40,
        outputTokens: 2,
        costUsd: 0.5,
        delivery: 'sent',
      }
      gateway.answers(`cron.${name}`, { entries: [row({}), row(used)] })
      const flags = ['--state', 'ok', '--since', '2026-11-01', '--before', '9', '--limit', '2']
      const { out, err } = await cli('cron', name, ...(name === 'runs' ? [ID] : []), ...flags)
      expect(gateway.paramsOf(`cron.${name}`)).toEqual([
        { ...(name === 'runs' && { id: ID }), states: ['ok'], sinceMs: Date.UTC(2026, 9, 31, 23), before: 9, limit: 2 },
      ])
      expect(err).toContain('Those before: --before 7')
      const [head, , last] = out.split('\n')
      expect(head).toMatch(/When +State +Took +Late +Tries +Tokens +Cost +Told +What came of it$/)
      expect(last).toMatch(/ok +1s +1m 5s +3 +42 +\$0\.5000 +sent +done$/)
      gateway.answers(`cron.${name}`, { entries: [row({})] })
      expect((await cli('cron', name, ...(name === 'runs' ? [ID] : []))).out).toMatch(/Took +What came of it\n/)
    },
  )

  test('the ledger of a job that never was is no empty one', async () => {
    gateway.answers('cron.runs', { entries: [] })
    expect((await cli('cron', 'runs', 'my-job')).out).toBe('No runs yet.\n')
    gateway.answers('cron.list', { jobs: [], total: 0 })
    const { code, err } = await cli('cron', 'runs', 'my-jub')
    expect([code, err]).toEqual([1, expect.stringContaining('There is no job "my-jub". All jobs: sluice cron list')])
  })

  test('a name is looked for among all jobs, not only those that are listed at once', async () => {
    const twin = job({ id: ID.replace('0', '1') })
    gateway.on('cron.list', ({ asked, answer }) =>
      answer(asked.params.named === 'my-job' ? { jobs: [job(), twin], total: 2 } : { jobs: [job()], total: 1_001 }),
    )
    const { code, err } = await cli('cron', 'rm', 'my-job')
    expect([code, err]).toEqual([2, expect.stringContaining('"my-job" names 2 jobs')])
    expect(gateway.paramsOf('cron.remove')).toEqual([])
  })

  test('the time-out and delivery of a job that runs a command are changed as such', async () => {
    const edit = ['cron', 'edit', ID, '--timeout-seconds', '5', '--no-deliver']
    const said = { timeoutSeconds: 5, deliver: false }
    await cli(...edit)
    gateway.answers('cron.list', { jobs: [job({ payload: { kind: 'command', argv: ['true'] } })], total: 1 })
    await cli(...edit)
    expect(gateway.paramsOf('cron.update').map(({ patch }) => patch)).toEqual([
      { payload: { kind: 'agentTurn', ...said } },
      { payload: { kind: 'command', ...said } },
    ])
  })

  test('show tells all that holds of a job, how it went and why it is off', async () => {
    const state = { lastRunAtMs: NOW, lastStatus: 'error', lastError: 'no key', pausedBecause: 'it failed twice' }
    gateway.answers('cron.list', { jobs: [job({ enabled: false, state })], total: 1 })
    gateway.answers('cron.next', { times: [], zone: 'Europe/Berlin', words: 'every day' })
    const { out } = await cli('cron', 'show', 'my-job')
    expect(out).toContain(
      'policy    missed times: latest, overlap: skip, failure alert: on, never off by failures, retries: 2 after 1m, 5m, no budget, no jitter',
    )
    expect(out).toMatch(/last +Sun 2026-11-22 13:00 Europe\/Berlin \(\+01:00\): no key\n/)
    expect(out).toMatch(/next +not while it is disabled \(it failed twice\)\n/)
    expect(JSON.parse((await cli('cron', 'show', ID, '--json')).out)).toMatchObject({
      id: ID,
      state,
      words: 'every day',
    })
    expect(gateway.paramsOf('cron.list').at(-1)).toEqual({ id: ID })
    expect((await cli('cron', 'next', ID)).out).toContain(`More on it: sluice cron show ${ID}`)
  })

  test('the flags of a policy become its members, and all that holds is shown', async () => {
    const flags =
      '--catch-up all --catch-up-window 2h --start 2026-12-24 --max-runs 3 --no-failure-alert --pause-after 5'
    const asked = [
      'cron',
      'add',
      '--name',
      'a',
      '--every',
      '1h',
      '--message',
      'hi',
      '--jitter',
      '30s',
      '--stagger',
      '5s',
    ]
    const { out, err } = await cli(...asked, ...flags.split(' '))
    expect(err).toBe('')
    expect(gateway.paramsOf('cron.add')[0]?.policy).toEqual({
      catchUp: 'all',
      catchUpWindowMs: 7_200_000,
      startAtMs: Date.UTC(2026, 11, 23, 23),
      maxRuns: 3,
      failureAlert: false,
      pauseAfterFailures: 5,
      jitterMs: 30_000,
      staggerMs: 5_000,
    })
    expect(out).toContain('5s apart from others of its instant')
    expect(out).toContain(
      'missed times: all up to 2h late, overlap: queue-all, failure alert: off, off after 5 failures',
    )
    const told = await cli('cron', 'add', '--name', 'a', '--every', '1h', '--text', 'hi', '--stagger', '5s')
    expect(told.out).not.toContain('apart from others')
    await cli('cron', 'edit', ID, '--overlap', 'queue-one', '--failure-alert')
    expect(gateway.paramsOf('cron.update')[0]?.patch).toEqual({
      policy: { overlap: 'queue-one', failureAlert: true },
    })
    expect((await cli('cron', 'edit', ID, '--end', 'soon')).err).toContain('--end "soon" is no time')
  })

  test('next marks where the clocks change', async () => {
    const times = [24, 25, 26].map(day => Date.UTC(2026, 9, day, day < 25 ? 7 : 8))
    gateway.answers('cron.next', { times, zone: 'Europe/Berlin', words: 'every day at 09:00 Europe/Berlin' })
    expect((await cli('cron', 'next', ID, '-n', '3')).out.split('\n').slice(0, 4)).toEqual([
      'every day at 09:00 Europe/Berlin',
      'Sat 2026-10-24 09:00 Europe/Berlin (+02:00)',
      'Sun 2026-10-25 09:00 Europe/Berlin (+01:00)  clocks changed to +01:00',
      'Mon 2026-10-26 09:00 Europe/Berlin (+01:00)',
    ])
    expect(gateway.paramsOf('cron.next')).toEqual([{ id: ID, count: 3 }])
  })

  test('words for a time go to the gateway as they are, by add, edit and when', async () => {
    const words = 'every weekday at 9'
    await cli('cron', 'add', '--name', 'n', '--when', words, '--text', 'x')
    await cli('cron', 'edit', ID, '--when', words)
    const wish = { kind: 'words', words }
    expect(gateway.paramsOf('cron.add')[0]).toMatchObject({ schedule: wish })
    expect(gateway.paramsOf('cron.update')[0]).toMatchObject({ patch: { schedule: wish } })
    const zone = 'Europe/Berlin'
    const reading = 'every weekday (Monday to Friday) at 09:00 Europe/Berlin'
    gateway.answers('cron.preview', {
      schedule: { kind: 'cron', expr: '0 9 * * 1-5', tz: zone },
      words: reading,
      times: [Date.UTC(2026, 10, 23, 8), Date.UTC(2026, 10, 24, 8)],
      zone,
    })
    const { code, out } = await cli('cron', 'when', words, '-n', '2')
    expect([code, gateway.paramsOf('cron.preview')]).toEqual([0, [{ schedule: wish, count: 2 }]])
    expect(out.split('\n')).toEqual([
      reading,
      'Mon 2026-11-23 09:00 Europe/Berlin (+01:00)',
      'Tue 2026-11-24 09:00 Europe/Berlin (+01:00)',
      '',
    ])
    expect(await cli('cron', 'when')).toMatchObject({ code: 2, err: expect.stringContaining('Say it in words') })
    expect(await cli('cron', 'add', '--name', 'n', '--text', 'x', '--when', words, '--tz', 'UTC')).toMatchObject({
      code: 2,
    })
  })

  test('the words of a schedule are shown beside it', async () => {
    gateway.answers('cron.next', { times: [NOW], zone: 'Europe/Berlin', words: 'every six hours, say' })
    const { out } = await cli('cron', 'edit', ID, '--cron', '0 */6 * * *')
    expect(out).toMatch(/schedule .*\n +every six hours, say\n/)
  })

  test('history asks for all jobs since a time, or for one', async () => {
    const entry = {
      ts: NOW,
      jobId: ID,
      action: 'finished',
      status: 'ok',
      state: 'ok',
      summary: 'fine',
      staggeredMs: 7_000,
      occurrence: 'o',
      seq: 1,
    }
    gateway.answers('cron.history', { entries: [entry] })
    gateway.answers('cron.runs', { entries: [] })
    expect((await cli('cron', 'history', '--since', '2d', '--state', 'ok')).out).toMatch(
      /my-job +2026-11-22 13:00 .*\(7s later: others were due with it\) fine/,
    )
    expect(gateway.paramsOf('cron.history')).toEqual([{ limit: 50, sinceMs: NOW - 2 * 86_400_000, states: ['ok'] }])
    expect((await cli('cron', 'history', 'my-job', '--since', '2026-11-20')).out).toContain('Nothing')
    expect(gateway.paramsOf('cron.runs')).toEqual([{ id: ID, limit: 50, sinceMs: Date.UTC(2026, 10, 19, 23) }])
    expect((await cli('cron', 'history', '--since', 'once')).code).not.toBe(0)
  })
})
