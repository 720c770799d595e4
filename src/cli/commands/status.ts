// What the gateway says of itself: health, status and its sessions.
import { formatDuration } from '../../base/durations.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT } from '../shell.ts'
import { paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { renderTable } from '../text/table.ts'
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
        ['gateway', `${url} is well (answered in ${formatDuration(answer.durationMs)})`],
        ['agents', answer.agents.map(({ agentId, isDefault }) => agentId + (isDefault ? ' (default)' : '')).join(', ')],
        ['channels', channels],
        ['sessions', `${answer.sessions.count} in ${answer.sessions.path}`],
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
  const { runs, loopDelayMs, waits } = answer
  shell.stdout.write(
    facts([
      ['gateway', `${url}, version ${answer.version}, pid ${answer.pid}, up ${formatDuration(answer.uptimeMs)}`],
      ['state', answer.stateDir],
      ['zone', answer.zone],
      ['model', answer.model],
      ['runs', `${runs.running} running, ${runs.queued} queued, ${runs.parked} parked, ${runs.slots} slots`],
      ['sessions', String(answer.sessions.count)],
      ['loop', `delay p50 ${ms(loopDelayMs.p50)}, p99 ${ms(loopDelayMs.p99)}, max ${ms(loopDelayMs.max)}`],
      ['memory', `${Math.round(answer.memoryBytes / 1_048_576)} MB`],
      ...waits.map((wait): Fact => ['wait', `${wait.who} for ${wait.what}, ${formatDuration(wait.waitingMs)}`]),
    ]),
  )
  return EXIT.ok
}

export const waits: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, ({ call }) => call('waits.list', {}))
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.waits.length === 0) shell.stdout.write('Nobody waits for anybody.\n')
  else {
    const nowMs = shell.clock.now()
    const columns = [
      { title: 'Who', cell: (row: Wait) => sanitizeLine(row.who), widthMin: 16 },
      { title: 'Waits for', cell: (row: Wait) => sanitizeLine(row.what), widthMin: 16 },
      { title: 'Since', cell: (row: Wait) => formatDuration(row.waitingMs) },
      {
        title: 'Gives up in',
        cell: (row: Wait) => (row.untilMs === undefined ? '-' : formatDuration(row.untilMs - nowMs)),
        leaves: 1,
      },
    ]
    shell.stdout.write(
      renderTable(answer.waits, columns, { width: shell.stdout.columns(), paint: paintFor(shell.color) }),
    )
  }
  return EXIT.ok
}

export const sessions: Run = async (args, shell) => {
  const limit = args.whole('limit', { min: 1, max: 500 }) ?? 50
  const answer = await withGateway(args, shell, ({ call }) => call('sessions.list', { limit }))
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.sessions.length === 0) shell.stdout.write('No sessions yet.\n')
  else {
    const nowMs = shell.clock.now()
    const columns = [
      { title: 'Session', cell: (row: Row) => sanitizeLine(row.key), widthMin: 16 },
      { title: 'State', cell: (row: Row) => row.state },
      { title: 'Last', cell: (row: Row) => relative(row.updatedAt ?? undefined, nowMs) },
      { title: 'Tokens', cell: (row: Row) => String(row.totalTokens), leaves: 1 },
      {
        title: 'Last message',
        cell: (row: Row) => sanitizeLine(row.lastMessagePreview ?? ''),
        widthMin: 12,
        leaves: 2,
      },
    ]
    shell.stdout.write(
      renderTable(answer.sessions, columns, { width: shell.stdout.columns(), paint: paintFor(shell.color) }),
    )
  }
  return EXIT.ok
}

interface Row {
  readonly key: string
  readonly state: string
  readonly updatedAt: number | null
  readonly totalTokens: number
  readonly lastMessagePreview?: string | undefined
}

interface Wait {
  readonly who: string
  readonly what: string
  readonly waitingMs: number
  readonly untilMs?: number | undefined
}

type Fact = readonly [string, string]

function facts(rows: readonly Fact[]): string {
  return rows.map(([name, text]) => `${name.padEnd(9)} ${sanitizeLine(text)}\n`).join('')
}

function ms(value: number): string {
  return `${Math.round(value * 10) / 10} ms`
}
