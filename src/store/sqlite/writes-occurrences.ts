// The claim of an occurrence and the record of instants that did not fire (L3): one ledger row for each, in the commit
// that also moves the job on and makes the run or notice that carries it out. An instant is claimed once, ever.
import type { WriteArgs, WriteValue } from '../port.ts'
import { takeTrigger } from './after-jobs.ts'
import { emitCron } from './events.ts'
import { once } from './keys.ts'
import { advanceJob, findJob, findOccurrence, finishOccurrence, recordSkip } from './ledger.ts'
import { insertRun, requireRun } from './runs.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'
import { writeNotice } from './writes-sessions.ts'

const FIND_RUNNING = "SELECT run_id FROM occurrences WHERE job_id = ? AND state = 'running' ORDER BY id LIMIT 500"
const INSERT = `INSERT INTO occurrences
  (job_id, occurrence, nominal_at_ms, state, claimed_at_ms, run_id, session_key, text_id, listener, alert_to, epoch,
   staggered_ms)
  VALUES (:jobId, :occurrence, :nominalAtMs, 'running', :nowMs, :runId, :sessionKey, :textId, :listener, :alertTo, :epoch,
    :staggeredMs)`
const COUNT_RUN = 'UPDATE jobs SET runs = runs + 1 WHERE id = ?'

function underWay(tx: Tx, jobId: string): { run_id: string | null }[] {
  return tx.all<{ run_id: string | null }>(FIND_RUNNING, [jobId])
}

type ClaimArgs = WriteArgs<'claimOccurrence'>
type Claim = WriteValue<'claimOccurrence'>

/** Why this occurrence cannot be claimed, or undefined when it can. */
function refusal(tx: Tx, args: ClaimArgs): Claim | undefined {
  const { jobId, occurrence, advance, nowMs } = args
  if (findJob(tx, jobId)?.revision !== args.expectedRevision) return { claimed: false, reason: 'stale' }
  if (advance) takeTrigger(tx, jobId, occurrence)
  const taken = findOccurrence(tx, jobId, occurrence)
  if (taken) {
    // The instant is accounted for; a job that still pointed at it would be due for ever.
    if (advance) advanceJob(tx, jobId, args.skipAdvance ?? advance)
    return { claimed: false, reason: 'stale', ...(taken.run_id !== null && { runId: taken.run_id }) }
  }
  const running = underWay(tx, jobId)
  if (running.length <= (args.underWayMax ?? 0)) return undefined
  if (args.skipWhenRunning) {
    const reason =
      running.length === 1
        ? 'the previous occurrence is still running'
        : `${running.length} earlier occurrences are running or waiting still`
    const skip = { jobId, occurrence, fromMs: args.nominalAtMs, count: 1, reason, nowMs }
    recordSkip(tx, { ...skip, advance: args.skipAdvance ?? advance })
  }
  const runId = running[0]?.run_id ?? undefined
  return { claimed: false, reason: 'already-running', ...(runId !== undefined && { runId }) }
}

/** Puts the occurrence's work into the store: a run, or a notice. */
function carryOut(tx: Tx, args: ClaimArgs, previous: readonly string[]): Claim {
  const { jobId, occurrence, run, notice, nowMs } = args
  const made = run && insertRun(tx, { ...run, jobId, occurrence }, nowMs)
  if (notice) writeNotice(tx, notice, nowMs)
  // Without a run there is nothing to wait for: what was to be told is told by this very commit.
  if (notice && !run)
    finishOccurrence(tx, { jobId, occurrence, state: 'ok', summary: notice.text, hops: args.hops, nowMs })
  return { claimed: true, ...(made && { run: made }), ...(previous.length > 0 && { previous: [...previous] }) }
}

function claim(tx: Tx, args: ClaimArgs): Claim {
  tx.requireEpoch(args.epoch)
  const refused = refusal(tx, args)
  if (refused) return refused
  const { jobId, occurrence, nowMs, epoch } = args
  const previous = underWay(tx, jobId).flatMap(row => row.run_id ?? [])
  tx.run(INSERT, {
    jobId,
    occurrence,
    nowMs,
    epoch,
    nominalAtMs: args.nominalAtMs ?? null,
    runId: args.run?.runId ?? null,
    sessionKey: args.run?.sessionKey ?? null,
    textId: args.notice?.id ?? args.run?.runId ?? null,
    listener: args.listener ?? null,
    alertTo: args.alertTo ? JSON.stringify(args.alertTo) : null,
    staggeredMs: args.run?.startAtMs === undefined ? null : args.run.startAtMs - nowMs,
  })
  if (args.nominalAtMs !== undefined) tx.run(COUNT_RUN, [jobId])
  if (args.advance) advanceJob(tx, jobId, args.advance)
  emitCron(tx, { jobId, action: 'started', runAtMs: nowMs })
  return carryOut(tx, args, previous)
}

const claimOccurrence: WriteFunctions['claimOccurrence'] = (tx, args) =>
  once(tx, {
    key: args.key,
    nowMs: args.nowMs,
    make: () => claim(tx, args),
    // A refusal has no effect to protect: asked again, it may well be granted.
    keep: (claimed): { runId?: string } | undefined => {
      if (!claimed.claimed) return undefined
      return claimed.run ? { runId: claimed.run.runId } : {}
    },
    again: ({ runId }): Claim =>
      runId === undefined ? { claimed: true } : { claimed: true, run: requireRun(tx, runId) },
  })

const skipOccurrences: WriteFunctions['skipOccurrences'] = (tx, args) => {
  const { jobId, fromMs, toMs, count, reason, advance, nowMs } = args
  if (findJob(tx, jobId)?.revision !== args.expectedRevision) return fresh({ recorded: false })
  const occurrence = `at:${fromMs}`
  if (findOccurrence(tx, jobId, occurrence)) {
    advanceJob(tx, jobId, args.takenAdvance ?? advance)
    return fresh({ recorded: false })
  }
  recordSkip(tx, { jobId, occurrence, fromMs, toMs, count, reason, advance, nowMs })
  return fresh({ recorded: true })
}

export const occurrenceWrites = { claimOccurrence, skipOccurrences }
