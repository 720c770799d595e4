// The ledger as clients read it: pages of occurrences, of one job or of all, by those who may see them, in the words of
// the wire's run log. Only reads.
import { withoutUndefined } from '../base/without-undefined.ts'
import type { Call } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { RunLog } from '../protocol/job.ts'
import { OCCURRENCE_STATES } from '../protocol/job-policy.ts'
import type { OccurrenceRow } from '../store/port.ts'
import { maySeeRow, PAGE_ROWS, seesAllJobs } from './job-reach.ts'
import type { MethodParts } from './parts.ts'

const DECIDED = OCCURRENCE_STATES.filter(state => state !== 'running')

export async function ledgerPage(
  parts: MethodParts,
  jobId: string | undefined,
  { params, caller }: Pick<Call<'cron.history'>, 'params' | 'caller'>,
): Promise<Result<'cron.history'>> {
  const { limit = 200, sinceMs, untilMs, states = DECIDED } = params
  const rows: OccurrenceRow[] = []
  const seesAll = seesAllJobs(parts, caller)
  let { before } = params
  for (let full = true; full && rows.length < limit; ) {
    const wanted = seesAll ? Math.min(limit - rows.length, PAGE_ROWS) : PAGE_ROWS
    const page = await parts.store.readLarge.occurrences(jobId, wanted, { sinceMs, untilMs, states, before })
    rows.unshift(...(seesAll ? page : page.filter(row => maySeeRow(parts, caller, { row, jobId }))))
    before = page[0]?.seq
    full = page.length === wanted
  }
  return { entries: rows.slice(-limit).map(toRunLog) }
}

const LOG_STATUS: Readonly<Record<OccurrenceRow['state'], RunLog['status']>> = {
  running: 'ok',
  ok: 'ok',
  failed: 'error',
  'timed-out': 'error',
  cancelled: 'error',
  skipped: 'skipped',
  unknown: 'error',
}

function workOf(row: OccurrenceRow): Partial<RunLog> {
  const { startedAtMs, attempt, failure, retryAtMs, sessionKey, model, inputTokens, outputTokens, costMicroUsd } = row
  const costUsd = costMicroUsd === undefined ? undefined : costMicroUsd / 1_000_000
  const run = { startedAtMs, attempt, failure, retryAtMs, sessionKey }
  const known = {
    ...run,
    exitCode: row.exitCode,
    staggeredMs: row.staggeredMs,
    model,
    inputTokens,
    outputTokens,
    costUsd,
    delivery: row.delivery,
  }
  return withoutUndefined(known)
}

function toRunLog(row: OccurrenceRow): RunLog {
  const endedAtMs = row.endedAtMs ?? row.claimedAtMs
  return {
    ts: endedAtMs,
    jobId: row.jobId,
    action: 'finished',
    status: LOG_STATUS[row.state],
    ...(row.error !== undefined && { error: row.error }),
    ...(row.summary !== undefined && { summary: row.summary }),
    runAtMs: row.claimedAtMs,
    durationMs: Math.max(0, endedAtMs - row.claimedAtMs),
    state: row.state,
    occurrence: row.occurrence,
    seq: row.seq,
    ...(row.nominalAtMs !== undefined && { nominalAtMs: row.nominalAtMs, lagMs: row.claimedAtMs - row.nominalAtMs }),
    ...(row.runId !== undefined && { runId: row.runId }),
    ...(row.count > 1 && { count: row.count }),
    ...(row.toMs !== undefined && { toMs: row.toMs }),
    ...workOf(row),
  }
}
