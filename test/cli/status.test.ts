// `sluice status` as people and as scripts see it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Result } from '../../src/protocol/catalogue.ts'
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { run, testShell } from './test-shell.ts'

const NOW = Date.UTC(2026, 10, 22, 12, 0)
const RUN_ID = '0fe0ab11-1111-4111-8111-111111111111'

const quiet: Result<'status'> = {
  version: '0.1.0',
  uptimeMs: 86_340_000,
  stateDir: '/home/you/.sluice',
  zone: 'America/Argentina/Buenos_Aires',
  model: 'sluice/offline',
  epoch: 12,
  sessions: { paths: ['/home/you/.sluice/sluice.db'], count: 0, defaults: { model: 'sluice/offline' }, recent: [] },
  heartbeat: { defaultAgentId: 'main', agents: [] },
  ...{ channelSummary: [], queuedSystemEvents: [] },
  runs: { running: 0, queued: 0, parked: 0, slots: 8 },
  lanes: { held: 0, waiting: 0 },
  pools: [{ name: 'turns', limit: 8, taken: 0, waiting: 0 }],
  waits: [],
  refused: { WOULD_DEADLOCK: 0, BUSY: 0, LIMIT: 0 },
  released: { count: 0 },
  pendingApprovals: 0,
  connections: 1,
  slowest: [],
  loopDelayMs: { p50: 0.12, p99: 1.94, max: 12.5 },
  memoryBytes: 94_371_840,
  pid: 1_234_567,
  store: { integrity: 'not-checked' },
  config: { path: '/home/you/.sluice/sluice.json', valid: true, issues: [], restartNeeded: [] },
}

const busy: Result<'status'> = {
  ...quiet,
  sessions: { ...quiet.sessions, count: 12_345 },
  runs: { running: 8, queued: 1_234, parked: 3, slots: 8 },
  lanes: { held: 1_008, waiting: 234 },
  pools: [
    { name: 'turns', limit: 8, taken: 8, waiting: 1_000 },
    { name: `provider:${'long'.repeat(30)}`, limit: 2, taken: 2, waiting: 6 },
  ],
  waits: [
    {
      who: `the turn of agent:main:${'x'.repeat(60)}`,
      what: `the turn of agent:main:${'y'.repeat(60)}`,
      waiter: 'run:a',
      target: 'run:b',
      waitingMs: 61_000,
      untilMs: NOW + 20_000,
    },
  ],
  refused: { WOULD_DEADLOCK: 17, BUSY: 123_456, LIMIT: 42 },
  released: { count: 2, last: { runId: RUN_ID, atMs: NOW - 300_000 } },
  pendingApprovals: 4,
  connections: 1_999,
  slowest: [
    { method: 'cron.add', calls: 1_234_567, errors: 89, p50Ms: 0.9, p99Ms: 4_321.5 },
    { method: 'unknown', calls: 1, errors: 1, p50Ms: 0.01, p99Ms: 0.01 },
  ],
}

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await fakeGateway()
})
afterEach(() => gateway.close())

async function status(answer: Result<'status'>, args: string[] = [], tty = true) {
  gateway.answers('status', answer)
  const shell = testShell(gateway.url, { nowMs: NOW, tty })
  const code = await run(shell, 'status', ...args)
  return { code, out: shell.out }
}

describe('sluice status', () => {
  test('a busy gateway: every figure is named, and no line is wider than a terminal of 80 columns', async () => {
    const { code, out } = await status(busy)
    expect(code).toBe(0)
    expect(out.split('\n').filter(line => line.length > 80)).toEqual([])
    for (const line of [
      /^gateway +ws:\/\/127\.0\.0\.1:\d+, version 0\.1\.0, pid 1234567, up 23h 59m$/m,
      /^runs +8 running, 1234 queued, 3 parked, 8 slots$/m,
      /^lanes +1008 held, 234 turns wait in them$/m,
      /^refused +17 would deadlock, 123456 busy, 42 over a limit$/m,
      /^watchdog +let go 2, the last 5m ago: 0fe0ab11-1111-4111-8111-111111111111$/m,
      /^approvals +4 pending$/m,
      /^clients +1999 connected$/m,
      /^loop +delay p50 0\.1 ms, p99 1\.9 ms, max 12\.5 ms$/m,
      /^Slots of +Limit +Taken +Waiting$/m,
      /^turns +8 +8 +1000$/m,
      /^provider:long\S*… +2 +2 +6$/m,
      /^Slowest methods +Calls +Errors +p50 +p99$/m,
      /^cron\.add +1234567 +89 +0\.9 ms +4321\.5 ms$/m,
      /^Who +Waits for +Since +Gives up in$/m,
      /^the turn of agent:main:x\S*… +the turn of agent:main:y\S*… +1m 1s +20s$/m,
    ])
      expect(out).toMatch(line)
  })

  test('a quiet one: what is not there is not shown', async () => {
    const { out } = await status(quiet)
    expect(out).toMatch(/^watchdog +let go 0$/m)
    expect(out).not.toMatch(/Slowest methods|Waits for/)
  })

  test('names from outside cannot move the cursor', async () => {
    const name = 'provider:\u001b[2Jx'
    const { out } = await status({ ...busy, pools: [{ name, limit: 1, taken: 0, waiting: 0 }] })
    expect(out).toMatch(/^provider:x +1 +0 +0$/m)
    expect(out).not.toContain('\u001b')
  })

  test('--json is the whole answer', async () => {
    expect(JSON.parse((await status(busy, ['--json'], false)).out)).toEqual(busy)
  })
})
