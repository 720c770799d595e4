// Rows of the database and the values that cross the port, one mapper per noun: the only place where column names
// meet our field names. Missing is NULL here and `undefined` there.
import type { Job, JobMaker, JobState, OccurrenceState } from '../../protocol/job.ts'
import type { JobRow, OccurrenceRow, StoredEvent } from '../port.ts'
import type { ApprovalRow, Entry, FailureKind, Notice, RunRow, RunState, SendRow, SessionRow } from '../rows.ts'
import { fromJson } from './failures.ts'

type Nullable<T> = T | null

export interface RunColumns {
  id: number
  run_id: string
  session_key: string
  session_id: string
  echo_key: string
  agent_id: string
  source: RunRow['source']
  state: RunState
  attempt: number
  losses: number
  epoch: number
  model: Nullable<string>
  extra_prompt: Nullable<string>
  timeout_ms: Nullable<number>
  rules: Nullable<string>
  retries: number
  retry_at_ms: Nullable<number>
  job_id: Nullable<string>
  occurrence: Nullable<string>
  fresh_session: number
  created_at_ms: number
  started_at_ms: Nullable<number>
  ended_at_ms: Nullable<number>
  reply: Nullable<string>
  error: Nullable<string>
  parent: Nullable<string>
  hops: number
  label: Nullable<string>
  tells: Nullable<string>
  handover: RunRow['handover']
  /** The call that took the reply, or the run that told it; NULL also when nobody was to be told. */
  taken_by: Nullable<string>
  queue_mode: RunRow['queueMode']
  merged_into: Nullable<string>
}

export function toRun(row: RunColumns): RunRow {
  return {
    runId: row.run_id,
    sessionKey: row.session_key,
    sessionId: row.session_id,
    echoKey: row.echo_key,
    agentId: row.agent_id,
    source: row.source,
    state: row.state,
    attempt: row.attempt,
    losses: row.losses,
    epoch: row.epoch,
    model: row.model ?? undefined,
    extraPrompt: row.extra_prompt ?? undefined,
    timeoutMs: row.timeout_ms ?? undefined,
    rules: row.rules === null ? undefined : fromJson(row.rules),
    retries: row.retries,
    retryAtMs: row.retry_at_ms ?? undefined,
    jobId: row.job_id ?? undefined,
    occurrence: row.occurrence ?? undefined,
    createdAtMs: row.created_at_ms,
    startedAtMs: row.started_at_ms ?? undefined,
    endedAtMs: row.ended_at_ms ?? undefined,
    reply: row.reply ?? undefined,
    error: row.error ?? undefined,
    parent: row.parent ?? undefined,
    hops: row.hops,
    label: row.label ?? undefined,
    tells: row.tells ?? undefined,
    handover: row.handover,
    queueMode: row.queue_mode,
    mergedInto: row.merged_into ?? undefined,
  }
}

export interface ApprovalColumns {
  id: string
  run_id: string
  call_id: string
  agent_id: string
  session_key: string
  asked_in: string
  tool: string
  text: string
  request: string
  state: ApprovalRow['state']
  decision: Nullable<NonNullable<ApprovalRow['decision']>>
  decided_by: Nullable<string>
  note: Nullable<string>
  created_at_ms: number
  expires_at_ms: number
  decided_at_ms: Nullable<number>
}

export function toApproval(row: ApprovalColumns): ApprovalRow {
  return {
    id: row.id,
    runId: row.run_id,
    callId: row.call_id,
    agentId: row.agent_id,
    sessionKey: row.session_key,
    askedIn: row.asked_in,
    tool: row.tool,
    text: row.text,
    request: fromJson(row.request),
    state: row.state,
    decision: row.decision ?? undefined,
    decidedBy: row.decided_by ?? undefined,
    note: row.note ?? undefined,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    decidedAtMs: row.decided_at_ms ?? undefined,
  }
}

export interface SessionColumns {
  key: string
  agent_id: string
  session_id: string
  created_at_ms: number
  updated_at_ms: number
  input_tokens: number
  output_tokens: number
  last_message: Nullable<string>
  model: Nullable<string>
  label: Nullable<string>
  settings: string
  deleted_at_ms: Nullable<number>
}

export function toSession(row: SessionColumns): SessionRow {
  return {
    key: row.key,
    agentId: row.agent_id,
    sessionId: row.session_id,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    lastMessage: row.last_message ?? undefined,
    model: row.model ?? undefined,
    label: row.label ?? undefined,
    settings: JSON.parse(row.settings),
  }
}

export interface EntryColumns {
  id: number
  run_id: Nullable<string>
  session_key: string
  session_id: string
  body: string
  created_at_ms: number
}

export function toEntry(row: EntryColumns): Entry {
  return {
    id: row.id,
    runId: row.run_id ?? undefined,
    sessionKey: row.session_key,
    sessionId: row.session_id,
    createdAtMs: row.created_at_ms,
    body: fromJson(row.body),
  }
}

export interface NoticeColumns {
  id: string
  session_key: string
  text: string
  source: Notice['source']
  job_id: Nullable<string>
  at_ms: number
  created_at_ms: number
}

export function toNotice(row: NoticeColumns): Notice {
  return {
    id: row.id,
    sessionKey: row.session_key,
    text: row.text,
    source: row.source,
    jobId: row.job_id ?? undefined,
    atMs: row.at_ms,
    createdAtMs: row.created_at_ms,
  }
}

export interface SendColumns {
  id: string
  text_id: string
  session_key: string
  channel_id: string
  chat_id: string
  source: SendRow['source']
  is_control: number
  text: string
  file: Nullable<string>
  buttons: Nullable<string>
  state: SendRow['state']
  attempt: number
  epoch: number
  due_at_ms: Nullable<number>
  sent_id: Nullable<string>
  error: Nullable<string>
  created_at_ms: number
  expires_at_ms: number
  ended_at_ms: Nullable<number>
}

export function toSend(row: SendColumns): SendRow {
  return {
    id: row.id,
    textId: row.text_id,
    sessionKey: row.session_key,
    channelId: row.channel_id,
    chatId: row.chat_id,
    source: row.source,
    text: row.text,
    file: row.file === null ? undefined : JSON.parse(row.file),
    buttons: row.buttons === null ? undefined : JSON.parse(row.buttons),
    state: row.state,
    attempt: row.attempt,
    dueAtMs: row.due_at_ms ?? undefined,
    sentId: row.sent_id ?? undefined,
    error: row.error ?? undefined,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
  }
}

export function toEvent(row: { seq: number; event: string; payload: string }): StoredEvent {
  return { seq: row.seq, event: row.event, payload: fromJson(row.payload) }
}

/** `running_at_ms` and `retry_at_ms` are derived from the ledger by whoever selects it. */
export interface JobColumns {
  id: string
  body: string
  enabled: number
  revision: number
  kind: Job['schedule']['kind']
  next_run_at_ms: Nullable<number>
  last_run_at_ms: Nullable<number>
  last_status: Nullable<'ok' | 'error' | 'skipped'>
  last_error: Nullable<string>
  last_duration_ms: Nullable<number>
  running_at_ms: Nullable<number>
  retry_at_ms: Nullable<number>
  runs: number
  failures: number
  alerted: number
  paused_because: Nullable<string>
}

/** A select list over `jobs` that JobColumns reads. */
export const JOB_COLUMNS = `jobs.id, body, enabled, revision, kind, next_run_at_ms,
  last_run_at_ms, last_status, last_error, last_duration_ms, runs, failures, alerted, paused_because,
  (SELECT claimed_at_ms FROM occurrences AS o WHERE o.job_id = jobs.id AND o.state = 'running' ORDER BY o.id DESC LIMIT 1)
  AS running_at_ms,
  (SELECT r.retry_at_ms FROM occurrences AS o JOIN runs AS r ON r.run_id = o.run_id
    WHERE o.job_id = jobs.id AND o.state = 'running' AND r.attempt > 0 ORDER BY o.id LIMIT 1) AS retry_at_ms`

/** What of a job is kept as JSON: all but its state, which has columns. */
export function jobBody({ state: _, ...rest }: Job): string {
  return JSON.stringify(rest)
}

function toJobState(row: JobColumns): JobState {
  const state: JobState = {}
  if (row.next_run_at_ms !== null) state.nextRunAtMs = row.next_run_at_ms
  if (row.running_at_ms !== null) state.runningAtMs = row.running_at_ms
  if (row.retry_at_ms !== null) state.retryAtMs = row.retry_at_ms
  if (row.last_run_at_ms !== null) state.lastRunAtMs = row.last_run_at_ms
  if (row.last_status !== null) state.lastStatus = row.last_status
  if (row.last_error !== null) state.lastError = row.last_error
  if (row.last_duration_ms !== null) state.lastDurationMs = row.last_duration_ms
  if (row.runs > 0) state.runs = row.runs
  if (row.failures > 0) state.failures = row.failures
  if (row.paused_because !== null) state.pausedBecause = row.paused_because
  return state
}

export function toJob(row: JobColumns): JobRow {
  const body = fromJson(row.body) as Omit<Job, 'state'>
  const job: Job = { ...body, enabled: row.enabled === 1, state: toJobState(row) }
  return { job, revision: row.revision, owner: job.madeBy }
}

/** Whose job it is for T2: the agent, and the session that made it (else the one that hears of it). */
export function ownerOf(job: {
  agentId?: string | undefined
  sessionKey?: string | undefined
  madeBy?: JobMaker | undefined
}) {
  return JSON.stringify([job.agentId ?? '', job.madeBy?.sessionKey ?? job.sessionKey ?? ''])
}

export interface OccurrenceColumns {
  id: number
  job_id: string
  occurrence: string
  nominal_at_ms: Nullable<number>
  state: OccurrenceState
  claimed_at_ms: number
  ended_at_ms: Nullable<number>
  run_id: Nullable<string>
  error: Nullable<string>
  summary: Nullable<string>
  to_ms: Nullable<number>
  count: number
  /** The session that hears of the job. */
  listener: Nullable<string>
  /** The chat, as JSON, that hears of its failures in its place. */
  alert_to: Nullable<string>
  /** What it tells: a send or an outbox row has this id. */
  text_id: Nullable<string>
  started_at_ms: Nullable<number>
  attempt: Nullable<number>
  session_key: Nullable<string>
  model: Nullable<string>
  input_tokens: Nullable<number>
  output_tokens: Nullable<number>
  cost_micro_usd: Nullable<number>
  failure: Nullable<FailureKind>
  exit_code: Nullable<number>
  staggered_ms: Nullable<number>
  /** Of one whose run is tried again: when, and why. */
  retry_at_ms?: Nullable<number>
  retry_error?: Nullable<string>
  /** What became of what it told, where the select asks for it. */
  delivery?: Nullable<string>
}

function failureOf(row: OccurrenceColumns): Pick<OccurrenceRow, 'error' | 'failure' | 'retryAtMs'> {
  return {
    error: row.error ?? row.retry_error ?? undefined,
    failure: row.failure ?? undefined,
    retryAtMs: row.retry_at_ms ?? undefined,
  }
}

export function toOccurrence(row: OccurrenceColumns): OccurrenceRow {
  return {
    jobId: row.job_id,
    occurrence: row.occurrence,
    nominalAtMs: row.nominal_at_ms ?? undefined,
    state: row.state,
    claimedAtMs: row.claimed_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
    runId: row.run_id ?? undefined,
    ...failureOf(row),
    summary: row.summary ?? undefined,
    toMs: row.to_ms ?? undefined,
    count: row.count,
    seq: row.id,
    startedAtMs: row.started_at_ms ?? undefined,
    attempt: row.attempt ?? undefined,
    sessionKey: row.session_key ?? undefined,
    model: row.model ?? undefined,
    inputTokens: row.input_tokens ?? undefined,
    outputTokens: row.output_tokens ?? undefined,
    costMicroUsd: row.cost_micro_usd ?? undefined,
    exitCode: row.exit_code ?? undefined,
    staggeredMs: row.staggered_ms ?? undefined,
    delivery: row.delivery ?? undefined,
  }
}
