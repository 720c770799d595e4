// The handler that tells a client what it missed (L5). It reads, never waits, and its answer is bounded (W8); who may not
// hear an event live does not hear it later either.
import { SluiceError } from '../base/errors.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { mayHearEvent } from '../protocol/events.ts'
import { EVENTS_MAX, type LiveRunSnapshot } from '../protocol/methods/events.ts'
import type { MethodParts } from './parts.ts'

/** Of one answer, as JSON. A single event that is larger comes alone. */
export const ANSWER_BYTES_MAX = 262_144
/** Of it, what the live runs may take. */
const LIVE_BYTES_MAX = ANSWER_BYTES_MAX / 2
/** What an event's number and name take beside its payload, and the answer's own fields: never less than the truth. */
const EVENT_FRAME_BYTES = 100
const ANSWER_FRAME_BYTES = 500

export function eventHandlers(parts: MethodParts): Pick<Handlers, 'events.since'> {
  return { 'events.since': call => eventsSince(parts, call) }
}

function eventsSince(parts: MethodParts, { params, caller }: Call<'events.since'>): Result<'events.since'> {
  if (caller.turn) {
    throw new SluiceError('FORBIDDEN', `${caller.label} hears no events: they tell of what others do.`)
  }
  const { read } = parts.store
  const { seq, limit = EVENTS_MAX } = params
  // The order matters, as the writer goes on meanwhile. Nothing up to `lastSeq` is left untold; rows that were removed
  // before they were read are seen to be gone; and a run whose end is told here is not told to be live.
  const lastSeq = read.lastSeq()
  const snapshots = withinBytes(parts.engine.live())
  const bytesMax = ANSWER_BYTES_MAX - ANSWER_FRAME_BYTES - limit * EVENT_FRAME_BYTES - bytesOf(snapshots)
  const events = read.eventsSince(seq, limit, bytesMax)
  const oldestSeq = read.oldestSeq()
  const live = snapshots.filter(({ runId }) => read.run(runId)?.state === 'running')
  if (seq + 1 < oldestSeq || seq > lastSeq) {
    return { events: [], nextSeq: lastSeq, lastSeq, more: false, tooOld: true, oldestSeq, live }
  }
  const nextSeq = events.at(-1)?.seq ?? seq
  return {
    events: events.filter(({ event }) => mayHearEvent(caller.scopes, event)),
    nextSeq,
    lastSeq: Math.max(lastSeq, nextSeq),
    more: nextSeq < lastSeq,
    oldestSeq,
    live,
  }
}

/** Texts, tools and at last runs are left out where there is no room; what a run goes on to say is heard all the same. */
function withinBytes(snapshots: readonly LiveRunSnapshot[]): LiveRunSnapshot[] {
  const kept: LiveRunSnapshot[] = []
  let room = LIVE_BYTES_MAX
  for (const snapshot of snapshots) {
    const short = { ...snapshot, text: '', tools: [], cut: true as const }
    const told = [snapshot, short].find(each => bytesOf(each) <= room)
    if (!told) break
    kept.push(told)
    room -= bytesOf(told)
  }
  return kept
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
