// What a stop has to reach: all that ran or waited in the session when it was asked for, and every task below, down to
// the last. Who is to be stopped is found on disk at the moment of asking, by a search of its own; some seconds later none
// of it may live. A task whose asker was stopped may not have slipped through either.
import type { Database } from 'better-sqlite3'
import { SECOND } from '../../src/base/durations.ts'
import type { Boot } from './boot.ts'
import { ask } from './disk.ts'
import type { Scenario } from './scenario.ts'
import { type LiveRun, liveRuns } from './shadow.ts'
import type { OutsideCall, Sightings } from './sightings.ts'
import type { VirtualTime } from './virtual-time.ts'

/** The engine lets an aborted runner go after 5 s; the rest is for what a disk and a busy moment take. */
const GRACE_MS = 10 * SECOND
const STOPPED = "SELECT ended_at_ms AS endedMs FROM runs WHERE run_id = ? AND state = 'aborted'"

interface StopParts {
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly seen: Sightings
  readonly boot: () => Boot
}

/** Runs of a session that live, and the tasks that they or earlier turns of it have had begun, and so on. */
export function treeOf(reader: Database, sessionKey: string): string[] {
  const live = liveRuns(reader)
  const isTaskOf = (run: LiveRun, parent: LiveRun) => run.source === 'spawn' && run.parent === parent.runId
  const isTold = (run: LiveRun) => run.source === 'spawn' && run.tells === sessionKey
  const found = live.filter(run => run.sessionKey === sessionKey || isTold(run))
  for (const parent of found) {
    for (const run of live) if (isTaskOf(run, parent) && !found.includes(run)) found.push(run)
  }
  return found.map(run => run.runId)
}

export class Stops {
  readonly #parts: StopParts
  readonly #due = new Map<string, { readonly byMs: number; readonly boot: number }>()

  constructor(parts: StopParts) {
    this.#parts = parts
  }

  /** A stop was answered. */
  note(call: OutsideCall): void {
    const runIds = [...(call.tree ?? []), ...((call.answer?.runIds ?? []) as string[])]
    const byMs = this.#parts.time.nowMs + this.#patienceMs
    for (const runId of runIds) if (!this.#due.has(runId)) this.#due.set(runId, { byMs, boot: call.boot })
  }

  look(live: readonly LiveRun[]): void {
    const { time, seen, boot } = this.#parts
    const ids = new Set(live.map(run => run.runId))
    for (const [runId, stop] of this.#due) {
      if (stop.boot !== boot().number || !ids.has(runId)) this.#due.delete(runId)
      else if (time.nowMs > stop.byMs) {
        seen.violate('stop', `${runId} was said to be stopped and still lives`)
        this.#due.delete(runId)
      }
    }
    this.#noOrphans(live)
  }

  #noOrphans(live: readonly LiveRun[]): void {
    const { time, seen, boot } = this.#parts
    const { reader } = boot()
    for (const { runId, source, parent } of live) {
      if (source !== 'spawn') continue
      const endedMs = (ask(reader, STOPPED).get(parent) as { endedMs: number } | undefined)?.endedMs
      if (endedMs !== undefined && endedMs + this.#patienceMs < time.nowMs)
        seen.violate('stop', `${parent} was stopped, and its task ${runId} runs on`)
    }
  }

  get #patienceMs(): number {
    const { slowDisk, diskDelayMsMax, leapInCommit } = this.#parts.scenario.faults
    return GRACE_MS + (slowDisk > 0 ? 6 * diskDelayMsMax : 0) + (leapInCommit > 0 ? 20 * SECOND : 0)
  }
}
