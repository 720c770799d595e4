// What the gateway says of itself: health, status and who waits.
import { formatDuration } from '../../base/durations.ts'
import type { Result } from '../../protocol/catalogue.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT } from '../shell.ts'
import { tableFor } from '../tables.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import type { Column } from '../text/table.ts'
import { relative } from '../text/times.ts'

export const health: Run = async (args, shell) => {
  const { answer, url } = await withGateway(args, shell, async ({ call, client }) => ({
    answer: await call('health', {}),
    url: client.url,
  }))
  if (args.has('json')) writeJson(shell, answer)
  else {
    const channels = answer.channelOrder.map(id => answer.channelLabels[id] ?? id).join(', ') || 'none'
    shell.stdout.write(
      facts([
        [
          'gateway',
          `${url} ${isWell(answer.store) ? 'is well' : 'answers'} (answered in ${formatDuration(answer.durationMs)})`,
        ],
        ['agents', answer.agents.map(({ agentId, isDefault }) => agentId + (isDefault ? ' (default)' : '')).join(', ')],
        ['channels', channels],
        ['sessions', `${answer.sessions.count} in ${answer.sessions.path}`],
        ...storeFacts(answer.store),
      ]),
    )
  }
  return answer.ok ? EXIT.ok : EXIT.failed
}

export const status: Run = async (args, shell) => {
  const { answer, url } = await withGateway(args, shell, async ({ call, client }) => ({
    answer: await call('status', {}),
    url: client.url,
  }))
  if (args.has('json')) {
    writeJson(shell, answer)
    return EXIT.ok
  }
  shell.stdout.write(facts(statusFacts(answer, url, shell.clock.now())))
  const table = tableFor(shell)
  shell.stdout.write(`\n${table(answer.pools, POOL_COLUMNS)}`)
  if (answer.slowest.length > 0) shell.stdout.write(`\n${table(answer.slowest, METHOD_COLUMNS)}`)
  if (answer.waits.length > 0) shell.stdout.write(`\n${table(answer.waits, waitColumns(shell.clock.now()))}`)
  return EXIT.ok
}

function statusFacts(answer: Result<'status'>, url: string, nowMs: number): Fact[] {
  const { runs, lanes, refused, released, loopDelayMs } = answer
  const { count, last } = released
  return [
    ['gateway', `${url}, version ${answer.version}, pid ${answer.pid}, up ${formatDuration(answer.uptimeMs)}`],
    ['state', answer.stateDir],
    ...storeFacts(answer.store),
    ...(answer.clockBehindMs === undefined
      ? []
      : [
          [
            'clock',
            `${formatDuration(answer.clockBehindMs)} behind what has happened; no job fires until it is right`,
          ] as const,
        ]),
    ...(answer.heldBack === undefined ? [] : [['held back', answer.heldBack] as const]),
    ...configFacts(answer.config),
    ['zone', answer.zone],
    ['model', answer.model],
    ['runs', `${runs.running} running, ${runs.queued} queued, ${runs.parked} parked, ${runs.slots} slots`],
    ['lanes', `${lanes.held} held, ${lanes.waiting} turns wait in them`],
    ['refused', `${refused.WOULD_DEADLOCK} would deadlock, ${refused.BUSY} busy, ${refused.LIMIT} over a limit`],
    ['watchdog', `let go ${count}${last ? `, the last ${relative(last.atMs, nowMs)}: ${last.runId}` : ''}`],
    ['approvals', `${answer.pendingApprovals} pending`],
    ['sessions', String(answer.sessions.count)],
    ['clients', `${answer.connections} connected`],
    ['loop', `delay p50 ${ms(loopDelayMs.p50)}, p99 ${ms(loopDelayMs.p99)}, max ${ms(loopDelayMs.max)}`],
    ['memory', `${Math.round(answer.memoryBytes / 1_048_576)} MB`],
  ]
}

/** Said only where there is something to do about it. */
function configFacts({ path, issues, valid, restartNeeded }: Result<'status'>['config']): Fact[] {
  const wrong = issues.map(issue => `${issue.path} ${issue.message}`.trim()).join('; ')
  const told = [
    ...(valid ? [] : [`${path} is wrong, so the settings from before hold: ${wrong}`]),
    ...(restartNeeded.length === 0 ? [] : [`changed, and holds after a restart: ${restartNeeded.join(', ')}`]),
  ]
  return told.map(text => ['config', text])
}

type StoreState = Result<'status'>['store']

function isWell({ integrity, failing }: StoreState): boolean {
  return failing === undefined && !integrity.startsWith('damaged')
}

function storeFacts({ integrity, failing }: StoreState): Fact[] {
  const found = integrity === 'not-checked' ? 'not checked: the last stop was clean' : sanitizeLine(integrity)
  return [['store', found], ...(failing === undefined ? [] : [['failing', sanitizeLine(failing)] as const])]
}

const POOL_COLUMNS: readonly Column<Result<'status'>['pools'][number]>[] = [
  { title: 'Slots of', cell: ({ name }) => sanitizeLine(name), widthMin: 16 },
  { title: 'Limit', cell: ({ limit }) => String(limit) },
  { title: 'Taken', cell: ({ taken }) => String(taken) },
  { title: 'Waiting', cell: ({ waiting }) => String(waiting) },
]

const METHOD_COLUMNS: readonly Column<Result<'status'>['slowest'][number]>[] = [
  { title: 'Slowest methods', cell: ({ method }) => sanitizeLine(method), widthMin: 16 },
  { title: 'Calls', cell: ({ calls }) => String(calls) },
  { title: 'Errors', cell: ({ errors }) => String(errors) },
  { title: 'p50', cell: ({ p50Ms }) => ms(p50Ms) },
  { title: 'p99', cell: ({ p99Ms }) => ms(p99Ms) },
]

function waitColumns(nowMs: number): readonly Column<Result<'waits.list'>['waits'][number]>[] {
  return [
    { title: 'Who', cell: row => sanitizeLine(row.who), widthMin: 16 },
    { title: 'Waits for', cell: row => sanitizeLine(row.what), widthMin: 16 },
    { title: 'Since', cell: row => formatDuration(row.waitingMs) },
    {
      title: 'Gives up in',
      cell: row => (row.untilMs === undefined ? '-' : formatDuration(row.untilMs - nowMs)),
      leaves: 1,
    },
  ]
}

export const waits: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, ({ call }) => call('waits.list', {}))
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.waits.length === 0) shell.stdout.write('Nobody waits for anybody.\n')
  else shell.stdout.write(tableFor(shell)(answer.waits, waitColumns(shell.clock.now())))
  return EXIT.ok
}

type Fact = readonly [string, string]

function facts(rows: readonly Fact[]): string {
  return rows.map(([name, text]) => `${name.padEnd(9)} ${sanitizeLine(text)}\n`).join('')
}

function ms(value: number): string {
  return `${Math.round(value * 10) / 10} ms`
}
