// The port to durable state: named transactional functions with cloneable arguments, and small reads. An adapter is a
// folder beside this file. Every write answers only after its commit is on disk (L1); it either happened whole or not
// at all. Reads are synchronous, see all that was acknowledged, and never wait for a writer (W3).
import type { EffectKey } from './effect-key.ts'
import type { JobRow, OccurrenceRow } from './job-rows.ts'
import type { AcceptLimits, NewApproval, NewAttachment, NewNotice, NewRun } from './new-rows.ts'
import type { DeviceReads, DeviceWrites } from './port-devices.ts'
import type { Advance, JobReads, JobWrites } from './port-jobs.ts'
import type { PeopleReads, PeopleWrites } from './port-people.ts'
import type { UsageReads } from './port-usage.ts'
import type {
  ApprovalRow,
  Buttons,
  Entry,
  EntryBody,
  FailureKind,
  Notice,
  Route,
  RunRow,
  SendRow,
  SessionRow,
} from './rows.ts'

export type {
  AcceptLimits,
  Advance,
  EffectKey,
  JobRow,
  NewApproval,
  NewAttachment,
  NewNotice,
  NewRun,
  OccurrenceRow,
  Route,
}

/** An event that survives us (L5): inserted in the commit that caused it, numbered by it, broadcast after it. */
export interface DurableEvent {
  readonly event: string
  readonly payload: unknown
}
export interface StoredEvent extends DurableEvent {
  /** Goes up by one for each event, across restarts. */
  readonly seq: number
}

/** What only grows unless old rows are removed. */
export type AgingTable =
  | 'keys'
  | 'entries'
  | 'approvals'
  | 'runs'
  | 'occurrences'
  | 'outbox'
  | 'sends'
  | 'events'
  | 'blobs'
  | 'usage'

/** Fences a runner (T3): refused with STALE unless the run is `running` under just this epoch and attempt. */
export interface Fence {
  readonly runId: string
  readonly epoch: number
  readonly attempt: number
}

/** A message that became part of another run's turn. */
export interface MergedMessage {
  readonly runId: string
  readonly input: Extract<EntryBody, { kind: 'input' }>
}

/** Fences a send (T3): refused with STALE unless it is `sending` under just this epoch and attempt. */
export interface SendFence {
  readonly id: string
  readonly epoch: number
  readonly attempt: number
}

/** How an attempt to send ended; `queued`: it did not go out, and is tried again. */
export type SendEnd =
  | { readonly state: 'sent'; readonly sentId: string }
  | { readonly state: 'queued'; readonly notBeforeMs: number; readonly error: string }
  | { readonly state: 'unconfirmed' | 'failed'; readonly error: string }

export interface RunEnd {
  readonly state: 'ok' | 'failed' | 'aborted' | 'timed-out'
  readonly reply?: string
  readonly error?: string
  /** Of a failed run; absent: `permanent`. */
  readonly failure?: FailureKind
  /** What becomes of its occurrence, where that is not the run's own state; `error` says why. */
  readonly outcome?: 'skipped' | 'unknown'
  /** Of a command. */
  readonly exitCode?: number
  /** What the ledger shows of it; absent: the reply. */
  readonly summary?: string
  /** Carries the occurrence on, which does not end with this run. */
  readonly next?: NewRun
  /** Go with the reply, where it goes to a chat. */
  readonly files?: readonly NewAttachment[]
}

/**
 * All writes. Each is synchronous in the adapter and runs inside a grouped commit. The function that makes an effect
 * also writes the key row; a repeated key answers the first outcome with `repeated: true` and changes nothing.
 * `nowMs` is the caller's clock. Failures are SluiceErrors (NOT_FOUND, CONFLICT, STALE, STORE_FAILED).
 */
export interface StoreWrites extends DeviceWrites, JobWrites, PeopleWrites {
  /**
   * Takes a message: the session row (made when missing), an inbox row and a `queued` run. Answers the run and how many
   * unfinished runs of the session are ahead of it. Refused with BUSY (outcome `not-started`, `retryAfterMs`) where `limits`
   * are reached; a repeat is not. A person who writes in a chat has seen its replies so far: those
   * count as shown. A run id that exists already under another key, or that begins with `told:`, is CONFLICT; the same
   * key again answers the run's PRESENT state (replay `attach`) with `repeated: true`. With `route`, that is where the
   * session's person reads from now on: its replies (or why there is none), notices and questions become sends there in
   * the commits that make them.
   */
  acceptMessage(args: { run: NewRun; route?: Route; limits?: AcceptLimits; key?: EffectKey; nowMs: number }): {
    run: RunRow
    ahead: number
  }

  /**
   * Starts an attempt of a queued run: state `running`, attempt + 1, this epoch; consumes its inbox row in an `input` entry. On a later
   * attempt the input entry exists already and stays. The run's
   * transcript (`sessionId`) is chosen here: the session's present one, a fresh one for `freshSession`. Undefined when
   * the run is no longer queued.
   */
  claimRun(args: { runId: string; epoch: number; nowMs: number; events: DurableEvent[] }): RunRow | undefined

  /**
   * Appends to a run's journal, in order. With `merges`, messages of the session that wait as `steer` follow as `input`
   * entries in the same commit, and their runs end as merged into this one, each with its chat event `final`; not in a
   * session that has begun a new transcript since. What messages used counts for `usageDay` (`2026-11-22`). STALE when the
   * fence does not hold.
   */
  appendEntries(args: {
    fence: Fence
    entries: EntryBody[]
    merges?: boolean
    usageDay?: string
    nowMs: number
    events: DurableEvent[]
  }): { ids: number[]; merged: MergedMessage[] }

  /**
   * Ends a run and all that hangs on it in one commit: the `end` entry, the run row, the
   * occurrence's ledger row and event `cron finished`, the job's last-run fields; a one-shot that went ok is removed
   * (deleteAfterRun, event `cron removed`) or disabled. The reply of a `chat` or `told` run becomes an outbox row, unread
   * until it is marked; `notice` is told to its session. The run's pending approvals are cancelled. STALE when fenced off.
   *
   * A run with `tells`: its reply stays `open` where `awaited` says that the asking turn stands waiting for it (and that
   * turn has not ended meanwhile); else that session is told by a queued run (source `told`, id `told:<run id>`, hops + 1).
   * With `silent` nobody is told, and nobody can take it. What this run asked for, what has ended and was not taken, is
   * told in the same commit; of a run that was stopped (`aborted`) none of that is told, now or later. `told` are the runs
   * so made, and `end.next`, to be submitted.
   *
   * However an occurrence ends, the enabled jobs that fire after its job (`after`) are due from that commit on.
   */
  endRun(args: {
    fence: Fence
    end: RunEnd
    notice?: NewNotice
    awaited?: boolean
    silent?: boolean
    nowMs: number
    events: DurableEvent[]
  }): { run: RunRow; told: RunRow[] }

  /**
   * Takes the reply of an ended run for the call `by` (`<entry>:<ordinal>` of the asking turn). False when it was told or
   * taken otherwise; true again for the same `by`. A run that is not `open` because it tells nobody answers true.
   * CONFLICT when it has not ended.
   */
  takeReply(args: { runId: string; by: string; nowMs: number }): { taken: boolean }

  /**
   * Gives a running run back to the queue under the same journal: its runner was lost (counted), or the gateway stops
   * cleanly (not counted), or it failed and its job has it tried again not before `retry.atMs` (counted as a retry). From
   * then on the old attempt is fenced off. STALE when it already was.
   */
  requeueRun(args: { fence: Fence; lost: boolean; retry?: { atMs: number; error: string }; nowMs: number }): RunRow

  /**
   * Cancels a run that has not been claimed. Undefined when it is not `queued`; its inbox row is closed with it, its
   * pending approvals are cancelled, and it is handed over as by endRun.
   */
  cancelQueuedRun(args: {
    runId: string
    reason: string
    awaited?: boolean
    silent?: boolean
    nowMs: number
    events: DurableEvent[]
  }): { run: RunRow; told: RunRow[] } | undefined

  /**
   * Asks a person: the approval's row, its notice (source `approval`, the approval's id) and the event
   * `exec.approval.requested` in one commit. The call's own earlier row is answered as it is. Where the agent has an
   * `allow-always` for the same `whatHash`, the row is made `allowed` at once and nobody is told. STALE when fenced off.
   */
  askApproval(args: { fence: Fence; approval: NewApproval; nowMs: number }): ApprovalRow

  /**
   * Decides a pending approval, with the event `exec.approval.resolved`; `expired` is decided by nobody. `said` is what a
   * person wrote in the chat in which it was asked: it becomes a `decision` entry there, and the note when it is neither
   * yes nor no. What is decided or cancelled is asked nobody any more: its notice counts as shown. An approval that is no
   * longer pending stays as it is (`decided: false`), and `said` with it. INVALID_REQUEST: `unknown approval id`.
   */
  decideApproval(args: {
    id: string
    decision: 'allow-once' | 'allow-always' | 'deny' | 'expired'
    by: string
    said?: { text: string; note?: string }
    key?: EffectKey
    nowMs: number
  }): { approval: ApprovalRow; decided: boolean }

  /** Notes, before it is done, that what was allowed begins. CONFLICT when it is not `allowed`. STALE when fenced off. */
  useApproval(args: { fence: Fence; id: string; nowMs: number }): ApprovalRow

  /**
   * Begins an effect that is not the store's own (replay `none`): `new`, and its key row says from now on that it began;
   * `done` with the first answer (null when none was given); `unknown` when it began and has no answer.
   */
  beginEffect(args: { key: EffectKey; nowMs: number }): { state: 'new' | 'done' | 'unknown'; answer?: unknown }

  /**
   * Keeps the answer of a begun effect; `undone` forgets that it began, because it did not happen. An effect that did not
   * begin or has its answer stays as it is (`kept: false`).
   */
  finishEffect(args: { key: EffectKey; answer?: unknown; undone?: boolean; nowMs: number }): { kept: boolean }

  /**
   * At start: runs left `running` by an older epoch go back to `queued` (they keep journal and attempt, and count a loss); occurrences
   * without a run that were left `running` become `unknown`. Answers all queued runs, oldest first.
   */
  recoverRuns(args: { epoch: number; nowMs: number }): RunRow[]

  /** Marks notices as shown to their person. Unknown ids are ignored. */
  markNoticesRead(args: { ids: string[]; nowMs: number }): { marked: number }

  /** Owes a chat the answer to a command; it waits behind no other text. The same id again changes nothing. */
  /** Owes a text to a chat of a channel, whoever reads there; no session hears of it. */
  queueSend(args: { id: string; sessionKey: string; route: Route; text: string; key?: EffectKey; nowMs: number }): {
    id: string
  }
  /**
   * Owes the chat of a running run's session what there is of its reply, once: the reply's first piece then changes that
   * message, as long as it is known to have arrived. When the reply is owed before this has gone out, it does not.
   */
  queuePreview(args: { runId: string; text: string; epoch: number; nowMs: number }): { queued: boolean }
  /** A preview that cannot be changed any more: the reply is a message of its own. */
  dropPreview(args: { id: string; epoch: number; nowMs: number }): { dropped: boolean }
  queueControl(args: {
    id: string
    sessionKey: string
    route: Route
    text: string
    buttons?: Buttons | undefined
    nowMs: number
  }): { queued: boolean }

  /**
   * Begins an attempt of a send that is due, while no other of its chat is under way: state `sending`, attempt + 1, this
   * epoch. Else undefined; one that waited too long is `expired` then, and what is next in its order becomes due.
   */
  claimSend(args: { id: string; epoch: number; nowMs: number }): SendRow | undefined

  /**
   * Ends an attempt. What is next in its order becomes due, unless it is tried again itself. A notice of which all is sent
   * counts as shown; for a send that is `unconfirmed`, a text that says so is owed to the same chat, once. STALE when
   * fenced off.
   */
  endSend(args: { fence: SendFence; end: SendEnd; nowMs: number }): SendRow

  /** At start: sends of this channel left `sending` by an older epoch are `queued` again where it dedupes, else `unconfirmed`. */
  recoverSends(args: { channelId: string; dedupesSends: boolean; epoch: number; nowMs: number }): {
    again: number
    unconfirmed: number
  }

  /** Sends again what is unconfirmed, failed or expired; anything else stays as it is (`queued: false`). NOT_FOUND. */
  resend(args: { id: string; key?: EffectKey; nowMs: number }): { send: SendRow; queued: boolean }

  /**
   * Sets what holds for one session (made when missing); null takes a setting back. CONFLICT: `label already in use: <l>`.
   */
  patchSession(args: {
    sessionKey: string
    agentId: string
    patch: Readonly<Record<string, string | null>>
    key?: EffectKey
    nowMs: number
  }): SessionRow

  /**
   * Deletes a session: its settings are gone, its transcript is kept as long as retention says and shown to nobody. What is
   * written to it later begins it anew. False when there was none.
   */
  deleteSession(args: { sessionKey: string; key?: EffectKey; nowMs: number }): { deleted: boolean; sessionId?: string }

  /** Tells a session a text, once per key. NOT_FOUND: `session not found`. */
  tellSession(args: { notice: NewNotice; key?: EffectKey; nowMs: number }): { id: string }

  /** Starts a new transcript for a session (made when missing); the old entries stay under their session id. */
  resetSession(args: { sessionKey: string; agentId: string; key?: EffectKey; nowMs: number }): SessionRow

  /**
   * Removes the rows of a table that are old and that nothing needs: a slice of about `sliceMs` from `afterId` on (0: from
   * the beginning). Answers where the next slice begins; without `nextId` the table is done. `entries` and `approvals`
   * come before `runs`, which keep what these still name.
   */
  removeOld(args: { table: AgingTable; afterId: number; sliceMs: number; nowMs: number }): {
    removed: number
    nextId?: number
  }
}

export type WriteName = keyof StoreWrites
export type WriteArgs<N extends WriteName> = Parameters<StoreWrites[N]>[0]
export type WriteValue<N extends WriteName> = ReturnType<StoreWrites[N]>

export interface WriteOptions {
  /**
   * Asks for the write to be dropped. The writer alone decides: dropped before execution it is rejected with CANCELLED,
   * outcome `not-started`; otherwise the write commits and answers as usual (W6).
   */
  readonly signal?: AbortSignal
}

/** `repeated`: the key had been used before, the value is the first answer (for `attach`, the present state). */
export interface WriteAnswer<T> {
  readonly value: T
  readonly repeated: boolean
}

/**
 * Small reads by key or page; at most 500 rows each. Undefined means: no such row. What is answered may be answered again,
 * the same object, until the next commit: it is not to be changed.
 */
export interface StoreReads extends DeviceReads, JobReads, PeopleReads, UsageReads {
  run(runId: string): RunRow | undefined
  /** Runs of a session that are queued or running, oldest first. */
  liveRuns(sessionKey: string): RunRow[]
  session(sessionKey: string): SessionRow | undefined
  /** Newest first. */
  sessions(page: { limit: number; agentId?: string; updatedSinceMs?: number; search?: string }): SessionRow[]
  /** By its label, or by its present transcript. */
  sessionNamed(name: { label?: string; sessionId?: string }): SessionRow | undefined
  sessionCount(): number
  /** The newest `limit` entries of the session's present transcript, oldest first; never splits a message from its results. */
  entries(sessionKey: string, limit: number): Entry[]
  /**
   * Of one transcript, present or not, what a turn goes on from: its newest compaction, and the newest `limit` entries of
   * those that this one kept and that came since.
   */
  transcript(sessionId: string, limit: number): Entry[]
  /** The bytes of an attachment, at most as many as one message may bring; undefined when they are kept no longer. */
  blob(hash: string): Uint8Array | undefined
  /** Runs whose messages became part of this one's turn, oldest first. */
  mergedInto(runId: string): string[]
  /** All entries of one run, in order. */
  runEntries(runId: string): Entry[]
  /** Names of all tools that the run's model messages called, each once. */
  toolsCalled(runId: string): string[]
  /** Unfinished runs that tell this session how they ended, oldest first. */
  liveChildren(sessionKey: string): RunRow[]
  approval(id: string): ApprovalRow | undefined
  approvalOfCall(runId: string, callId: string): ApprovalRow | undefined
  /** Oldest first; of one chat, or of all. */
  pendingApprovals(page: { askedIn?: string; limit: number }): ApprovalRow[]
  unreadNotices(sessionKey: string, limit: number): Notice[]
  /** Counts no further than `limit`, which is at most 500; so does the next. */
  unreadCount(sessionKey: string, limit: number): number
  pendingApprovalCount(limit: number): number
  send(id: string): SendRow | undefined
  /** Where the session's person reads, if that is a chat of a channel. */
  route(sessionKey: string): Route | undefined
  /** All that is not `sent`, newest first. */
  openSends(limit: number): SendRow[]
  /** Sends of a channel whose instant is at or before `nowMs`, oldest instant first. */
  dueSends(page: { channelId: string; nowMs: number; limit: number }): SendRow[]
  /** Sends of a channel that wait; counts no further than `limit`, which is at most 500. */
  queuedSendCount(channelId: string, limit: number): number
  /** The smallest instant after `nowMs` at which a send of the channel is due. */
  nextSendAtMs(channelId: string, nowMs: number): number | undefined
  /**
   * What is kept of the first answer under this key; CONFLICT when it was used with other params. Undefined, too, for an
   * effect that began and has no answer.
   */
  firstAnswer(key: EffectKey): { readonly kept: unknown } | undefined
  /** The durable events after `seq`, in order; with `bytesMax` only so many payloads as fit into it, but one always. */
  eventsSince(seq: number, limit: number, bytesMax?: number): StoredEvent[]
  /** The number of the newest event; 0 before the first. */
  lastSeq(): number
  /** The number of the oldest event that is kept, or that the next one will have. */
  oldestSeq(): number
}

/** Reads whose rows may be many or long. */
export type LargeReadName =
  | 'jobs'
  | 'occurrences'
  | 'entries'
  | 'transcript'
  | 'blob'
  | 'unreadNotices'
  | 'pendingApprovals'

/**
 * The same reads for who may wait: with the same answers, but what is larger than the control thread may read at once
 * (W8) is read elsewhere; what is not is answered at once. Each sees all that was acknowledged when it was asked for. Rejects with STORE_FAILED
 * when it cannot be read, UNAVAILABLE when what reads is lost, BUSY when too many wait; each is the end of that read alone.
 */
export type LargeReads = {
  readonly [N in LargeReadName]: (
    ...args: Parameters<StoreReads[N]>
  ) => ReturnType<StoreReads[N]> | Promise<ReturnType<StoreReads[N]>>
}

export type StoreWriters = {
  readonly [N in WriteName]: (args: WriteArgs<N>, options?: WriteOptions) => Promise<WriteAnswer<WriteValue<N>>>
}

export interface Store {
  /** The boot number; every start of a gateway on this store has a higher one (T3). */
  readonly epoch: number
  readonly read: StoreReads
  readonly readLarge: LargeReads
  readonly write: StoreWriters
  /** What was found damaged when the store was opened, in SQLite's words; a store that needs no reading for it is not read. */
  readonly damage: string | undefined
  /** What the disk refused last, with what to do; undefined once it gives it, or has taken 20 writes in a row. */
  failing(): string | undefined
  /** Called with the durable events of each commit, in order, before the write's promise resolves. */
  onEvents(listener: (events: readonly StoredEvent[]) => void): void
  /** Called once when the writer is lost; nothing can be accepted any more. */
  onFailure(listener: (error: Error) => void): void
  /** Ends after all posted writes have been answered. */
  close(): Promise<void>
}
