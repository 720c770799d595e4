// What the world knows of jobs that fire after others: each end of the first that they wait for makes exactly one
// occurrence of theirs, whatever happens in between, and nothing else makes one. Told in the order of the durable events.
import { isByHand, isLeftOut, type JobBook, type LedgerRow } from './books.ts'

const FAILED = ['failed', 'timed-out', 'unknown']
const MATCHES = { ok: ['ok'], failed: FAILED, any: ['ok', ...FAILED, 'cancelled'] }

/** An occurrence has ended: who waits for that is due. Answers how many. */
export function endsFor(books: readonly JobBook[], row: LedgerRow): number {
  const atMs = row.ended_at_ms ?? 0
  let count = 0
  for (const { on, after, policy } of books) {
    if (!on || after?.jobId !== row.job_id || !MATCHES[after.on].includes(row.state)) continue
    const { startAtMs = atMs, endAtMs = atMs, maxRuns = Number.POSITIVE_INFINITY } = policy
    if (startAtMs > atMs || endAtMs < atMs || after.runs + after.pending.size >= maxRuns) continue
    after.pending.add(`after:${row.id}`)
    count += 1
  }
  return count
}

/** It has a row. False for one after an end that is not known to have been. */
export function takesEnd({ after }: JobBook, row: LedgerRow): boolean {
  if (!after || isByHand(row)) return true
  if (!after.pending.delete(row.occurrence)) return false
  if (!isLeftOut(row)) after.runs += 1
  return true
}

/** It is switched off, and misses what ends; or begins anew. */
export function forgetEnds({ after }: JobBook): void {
  after?.pending.clear()
  if (after) after.runs = 0
}
