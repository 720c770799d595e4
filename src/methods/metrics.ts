// The gateway's figures in the Prometheus text format 0.0.4, as `/metrics` serves them. Each is read where it is kept
// anyway; it waits for nothing (W3, W7) and has no figure that names a session, a person or a text.
import type { Result } from '../protocol/catalogue.ts'
import { loadOf, waitsOf } from './gateway.ts'
import type { MethodParts } from './parts.ts'

const MS_PER_SECOND = 1_000
const QUANTILES = [0.5, 0.99]

type Labels = Readonly<Record<string, string | number>>
/** `suffix`: `_sum` or `_count` of a summary. */
type Sample = readonly [value: number, labels?: Labels, suffix?: string]

interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'summary'
  /** One line; what is counted, in which unit. */
  readonly help: string
  readonly samples: readonly Sample[]
}

/** Units are seconds and bytes. Counters and quantiles count from the start of the gateway. */
export function metricsText(parts: MethodParts): string {
  return [...gatewayMetrics(parts), ...loadMetrics(parts), ...channelMetrics(parts), ...methodMetrics(parts)]
    .map(render)
    .join('')
}

function gatewayMetrics({ facts, store, clock, connections }: MethodParts): Metric[] {
  const { p50, p99, max } = facts.loopDelayMs()
  return [
    gauge('sluice_info', 'Always 1; its label is the version.', [1, { version: facts.version }]),
    gauge('sluice_epoch', 'Starts of a gateway on this store.', [store.epoch]),
    gauge('sluice_uptime_seconds', 'Time since the start.', [(clock.now() - facts.startedAtMs) / MS_PER_SECOND]),
    gauge('sluice_memory_bytes', 'Resident memory of the gateway.', [facts.memoryBytes()]),
    gauge(
      'sluice_loop_delay_seconds',
      'How long the control loop was kept from its work; quantile 1 is the longest.',
      [p50 / MS_PER_SECOND, { quantile: 0.5 }],
      [p99 / MS_PER_SECOND, { quantile: 0.99 }],
      [max / MS_PER_SECOND, { quantile: 1 }],
    ),
    gauge('sluice_connections', 'Open WebSocket connections.', [connections()]),
  ]
}

function loadMetrics(parts: MethodParts): Metric[] {
  const { runs, lanes, pools, refused, released, pendingApprovals } = loadOf(parts)
  const { running, queued, parked } = runs
  const perPool = (of: (pool: Result<'status'>['pools'][number]) => number) =>
    pools.map((pool): Sample => [of(pool), { pool: pool.name }])
  return [
    gauge(
      'sluice_runs',
      'Unfinished turns by state; the parked are some of the running.',
      ...Object.entries({ running, queued, parked }).map(([state, count]): Sample => [count, { state }]),
    ),
    gauge('sluice_lanes_held', 'Sessions that have a turn under way.', [lanes.held]),
    gauge('sluice_lanes_waiting', 'Turns that wait in the lane of their session.', [lanes.waiting]),
    gauge('sluice_slots_limit', 'Slots that a pool has.', ...perPool(pool => pool.limit)),
    gauge('sluice_slots_taken', 'Slots of a pool that are held.', ...perPool(pool => pool.taken)),
    gauge('sluice_slots_waiting', 'Turns that wait for a slot of a pool.', ...perPool(pool => pool.waiting)),
    gauge('sluice_waits', 'Edges of the wait-for graph.', [waitsOf(parts).length]),
    gauge('sluice_approvals_pending', 'Questions that wait for a person, counted up to 500.', [pendingApprovals]),
    counter(
      'sluice_refused_total',
      'Waits that would have closed a cycle, and calls refused because a queue or a limit was full.',
      ...Object.entries(refused).map(([code, count]): Sample => [count, { code }]),
    ),
    counter('sluice_turns_released_total', 'Turns that did not end when told to, and were let go.', [released.count]),
  ]
}

function channelMetrics({ delivery }: MethodParts): Metric[] {
  const reports = delivery.reports()
  if (reports.length === 0) return []
  const perLine = (of: (report: (typeof reports)[number]) => number) =>
    reports.map((report): Sample => [of(report), { channel: report.id }])
  const dropped = reports.flatMap(({ id: channel, dropped }) =>
    Object.entries(dropped).map(([why, count]): Sample => [count, { channel, why }]),
  )
  return [
    gauge('sluice_channel_up', 'Whether a channel runs.', ...perLine(({ phase }) => (phase === 'running' ? 1 : 0))),
    counter('sluice_channel_heard_total', 'Messages of a channel that were heard.', ...perLine(({ heard }) => heard)),
    counter('sluice_channel_dropped_total', 'Messages of a channel that were not heard, by why.', ...dropped),
  ]
}

function methodMetrics({ counts }: MethodParts): Metric[] {
  const methods = counts.list()
  return [
    {
      name: 'sluice_method_work_seconds',
      type: 'summary',
      help: 'Calls of a method and how long they worked; waits they were asked to make are no work.',
      samples: methods.flatMap((each): Sample[] => {
        const { method } = each
        return [
          ...QUANTILES.map((quantile): Sample => [each.quantileMs(quantile) / MS_PER_SECOND, { method, quantile }]),
          [each.workMs / MS_PER_SECOND, { method }, '_sum'],
          [each.calls, { method }, '_count'],
        ]
      }),
    },
    counter(
      'sluice_method_errors_total',
      'Calls of a method that ended with an error, by its code.',
      ...methods.flatMap(({ method, errors }) => [...errors].map(([code, count]): Sample => [count, { method, code }])),
    ),
  ]
}

function gauge(name: string, help: string, ...samples: readonly Sample[]): Metric {
  return { name, type: 'gauge', help, samples }
}

function counter(name: string, help: string, ...samples: readonly Sample[]): Metric {
  return { name, type: 'counter', help, samples }
}

function render({ name, type, help, samples }: Metric): string {
  const lines = samples.map(([value, labels, suffix = '']) => `${name}${suffix}${renderLabels(labels)} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function renderLabels(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
