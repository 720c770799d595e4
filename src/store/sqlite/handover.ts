// What becomes of a run's reply when it has ended: the turn that asked takes it, or its session is told by a run of its
// own. The `handover` column is the truth and leaves `open` once, so the reply arrives exactly once (T1). An open reply
// always has a live turn that may still take it: whoever ends last tells.
import { SluiceError } from '../../base/errors.ts'
import { announcementOf } from '../announcement.ts'
import type { RunRow } from '../rows.ts'
import { type RunColumns, toRun } from './rows.ts'
import { findColumns, findRun, insertRun, isLive, requireRun, TOLD_PREFIX } from './runs.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'
import { agentOf } from './writes-sessions.ts'

const TAKE = "UPDATE runs SET handover = 'taken', taken_by = ? WHERE run_id = ? AND handover = 'open'"
const UNTAKEN = `SELECT * FROM runs WHERE parent = ? AND handover = 'open' AND state NOT IN ('queued', 'running')
  ORDER BY id`

const HUSH = "UPDATE runs SET handover = 'taken' WHERE parent = ? AND handover = 'open'"

export interface Handing {
  readonly awaited?: boolean
  readonly silent?: boolean
  readonly nowMs: number
}

/** Hands over a run that has just ended, and what it had asked for. Answers the runs that tell it. */
export function handOver(tx: Tx, run: RunRow, { awaited, silent, nowMs }: Handing): RunRow[] {
  // Who stopped a turn does not want to hear of what it had asked for, ended or not.
  if (run.state === 'aborted') tx.run(HUSH, [run.runId])
  const untaken = tx.all<RunColumns>(UNTAKEN, [run.runId]).map(toRun)
  const told = untaken.map(child => tell(tx, child, nowMs))
  if (run.handover !== 'open') return told
  if (silent) tx.run(TAKE, [null, run.runId])
  else if (!awaited || !isLiveRun(tx, run.parent)) told.push(tell(tx, run, nowMs))
  return told
}

function isLiveRun(tx: Tx, runId: string | undefined): boolean {
  const run = runId === undefined ? undefined : findRun(tx, runId)
  return run !== undefined && isLive(run)
}

/** An ended run whose handover is open, and which therefore has a session to tell. */
function tell(tx: Tx, run: RunRow, nowMs: number): RunRow {
  const sessionKey = run.tells as string
  const runId = `${TOLD_PREFIX}${run.runId}`
  tx.run(TAKE, [runId, run.runId])
  const about = { agentId: agentOf(sessionKey), parent: run.runId, hops: run.hops + 1, source: 'told' } as const
  return insertRun(tx, { runId, sessionKey, echoKey: sessionKey, text: announcementOf(run), ...about }, nowMs)
}

const takeReply: WriteFunctions['takeReply'] = (tx, { runId, by }) => {
  if (isLive(requireRun(tx, runId))) {
    throw new SluiceError(
      'CONFLICT',
      `Run ${runId} has not ended: there is no reply to take. Wait for its end first.`,
      {
        details: { runId },
        outcome: 'not-started',
      },
    )
  }
  if (tx.run(TAKE, [by, runId]).changes === 1) return fresh({ taken: true })
  const row = findColumns(tx, runId)
  return fresh({ taken: row?.handover === 'none' || row?.taken_by === by })
}

export const handoverWrites = { takeReply }
