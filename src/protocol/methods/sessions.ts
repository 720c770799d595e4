// Declarations of the methods on sessions, chats and runs.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { attachmentsSchema } from '../attachments.ts'
import { method } from '../method.ts'
import { QUEUE_MODES } from '../queue-modes.ts'

const READ_DEADLINE_MS = 10 * SECOND
const key = z.string().min(1).max(300)
const sessionKey = z.string().min(1).max(300)
/** Longest message that is taken; longer ones are refused whole, never cut. */
export const MESSAGE_LENGTH_MAX = 200_000
const message = z
  .string()
  .max(MESSAGE_LENGTH_MAX, `message is longer than ${MESSAGE_LENGTH_MAX} characters; shorten it or split it`)
  .refine(text => text.trim() !== '', 'message is empty')

const runStatus = z.enum(['queued', 'running', 'ok', 'error', 'timeout', 'aborted'])

const chatMessage = z.object({
  role: z.enum(['user', 'assistant', 'toolResult']),
  content: z.array(z.object({ type: z.string(), text: z.string().optional() }).loose()),
  timestamp: z.number(),
})

const notice = z.object({
  id: z.string(),
  sessionKey: z.string(),
  text: z.string(),
  source: z.string(),
  jobId: z.string().optional(),
  atMs: z.number(),
  createdAtMs: z.number(),
})

export const sessionRowSchema = z.object({
  key: z.string(),
  kind: z.enum(['direct', 'group', 'global', 'unknown']),
  sessionId: z.string(),
  updatedAt: z.number().nullable(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  totalTokens: z.number(),
  label: z.string().optional(),
  lastMessagePreview: z.string().optional(),
  /** Ours: what it does now. */
  state: z.enum(['idle', 'running', 'queued']),
})

const CHAT_METHODS = {
  'chat.history': method({
    summary: 'Show the messages of a session, oldest first.',
    params: z.strictObject({ sessionKey, limit: z.int().min(1).max(1_000).optional() }),
    result: z.object({
      sessionKey: z.string(),
      sessionId: z.string().optional(),
      messages: z.array(chatMessage.loose()),
      thinkingLevel: z.string(),
    }),
    scope: 'operator.read',
    tool: 'sessions_history',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'chat.send': method({
    summary: 'Send a message to a session; answered at once, the reply follows as chat events.',
    params: z.strictObject({
      sessionKey,
      message,
      thinking: z.string().optional(),
      deliver: z.boolean().optional(),
      attachments: attachmentsSchema.optional(),
      timeoutMs: z.int().min(0).optional(),
      idempotencyKey: key,
    }),
    result: z.union([
      z.object({
        runId: z.string(),
        status: z.enum(['started', 'in_flight', 'ok', 'error']),
        summary: z.string().optional(),
        /** Ours: how many unfinished turns of the session are ahead of this one. */
        ahead: z.number().optional(),
        /** Ours: what becomes of it, where there are such. */
        queueMode: z.enum(QUEUE_MODES).optional(),
        /** Ours: what the message decided, when it answered a question that a turn waits with. */
        approvals: z.array(z.object({ id: z.string(), state: z.string() })).optional(),
      }),
      z.object({ ok: z.literal(true), aborted: z.boolean(), runIds: z.array(z.string()) }),
    ]),
    scope: 'operator.write',
    tool: 'sessions_send',
    replay: 'attach',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'chat.abort': method({
    summary: 'Stop the runs of a session, or one of them; never queued behind them.',
    params: z.strictObject({ sessionKey, runId: key.optional() }),
    result: z.object({ ok: z.literal(true), aborted: z.boolean(), runIds: z.array(z.string()) }),
    scope: 'operator.write',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'chat.unread': method({
    summary: 'Show what was told to a session and not yet shown to its person.',
    params: z.strictObject({ sessionKey }),
    result: z.object({ notices: z.array(notice) }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'chat.markRead': method({
    summary: 'Say which notices a person has been shown.',
    params: z.strictObject({ ids: z.array(z.string().min(1)).max(500) }),
    result: z.object({ ok: z.literal(true), marked: z.number() }),
    scope: 'operator.write',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
}

const said = z.string().max(300).optional()
const ABOUT_CHATS = {
  ...{ to: said, replyTo: said, channel: said, replyChannel: said, accountId: said, replyAccountId: said },
  ...{ threadId: said, groupId: said, groupChannel: said, groupSpace: said, spawnedBy: said },
}

const RUN_METHODS = {
  agent: method({
    summary: 'Run a turn: accepted at once, the final answer follows under the same id.',
    params: z.strictObject({
      message,
      agentId: z.string().min(1).optional(),
      sessionKey: sessionKey.optional(),
      /** The session whose present transcript this is, where no key is given. */
      sessionId: z.string().optional(),
      thinking: z.string().optional(),
      /** The reply is sent to `replyTo` (else `to`) on `replyChannel` (else `channel`), else where the session's person reads. */
      deliver: z.boolean().optional(),
      attachments: attachmentsSchema.optional(),
      /** What the family says of whom it speaks for; the rest is read by nobody. */
      ...ABOUT_CHATS,
      /** Seconds of work. */
      timeout: z.int().min(0).max(86_400).optional(),
      lane: z.string().optional(),
      extraSystemPrompt: z.string().max(100_000).optional(),
      label: z.string().max(100).optional(),
      idempotencyKey: key,
    }),
    result: z.object({
      runId: z.string(),
      status: z.enum(['accepted', 'ok', 'error']),
      acceptedAt: z.number().optional(),
      summary: z.string().optional(),
      /** Ours: what was asked for beside the turn and is not done. */
      warning: z.string().optional(),
      result: z.unknown().optional(),
    }),
    scope: 'operator.write',
    tool: 'sessions_send',
    replay: 'attach',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'agent.wait': method({
    summary: 'Wait for a run to end; the wait ends at its time-out, the run goes on.',
    params: z.strictObject({ runId: key, timeoutMs: z.int().min(0).max(86_400_000).optional() }),
    result: z.object({
      runId: z.string(),
      status: z.enum(['ok', 'error', 'timeout']),
      startedAt: z.number().optional(),
      endedAt: z.number().optional(),
      error: z.string().optional(),
    }),
    scope: 'operator.write',
    tool: 'sessions_send',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
}

const SESSION_METHODS = {
  'sessions.list': method({
    summary: 'List sessions, newest first.',
    params: z.strictObject({
      limit: z.int().min(1).max(500).optional(),
      activeMinutes: z.int().min(1).optional(),
      includeGlobal: z.boolean().optional(),
      includeUnknown: z.boolean().optional(),
      agentId: z.string().optional(),
      search: z.string().max(200).optional(),
    }),
    result: z.object({
      ts: z.number(),
      path: z.string(),
      count: z.number(),
      defaults: z.object({ modelProvider: z.string(), model: z.string() }),
      sessions: z.array(sessionRowSchema),
    }),
    scope: 'operator.read',
    tool: 'sessions_list',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'sessions.reset': method({
    summary: 'Start a new transcript for a session.',
    params: z.strictObject({ key: sessionKey, idempotencyKey: key.optional() }),
    result: z.object({ ok: z.literal(true), key: z.string(), entry: z.object({ sessionId: z.string() }).loose() }),
    scope: 'operator.admin',
    replay: 'transactional',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'sessions.compact': method({
    summary: 'Have the oldest part of a session summarised by its model; nothing of its history is removed.',
    params: z.strictObject({
      key: sessionKey,
      /** Entries that are kept word for word at most; absent: the newest few pages. */
      maxLines: z.int().min(1).optional(),
      /** The wait ends then, the summary is still written. */
      waitSeconds: z.number().min(0).max(3_600).optional(),
      idempotencyKey: key.optional(),
    }),
    result: z.object({
      ok: z.literal(true),
      key: z.string(),
      compacted: z.boolean(),
      /** Where what was summarised is kept. */
      archived: z.string().optional(),
      /** Entries that the model is still shown. */
      kept: z.number().optional(),
      reason: z.string().optional(),
      /** Ours: entries that the summary stands for, and the turn that wrote it. */
      summarised: z.number().optional(),
      runId: z.string().optional(),
    }),
    scope: 'operator.admin',
    replay: 'attach',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'sessions.status': method({
    summary: 'Say what a session is, what it does now and which model answers it.',
    params: z.strictObject({ key: sessionKey }),
    result: z.object({
      sessionKey: z.string(),
      model: z.string(),
      zone: z.string(),
      now: z.string(),
      state: z.enum(['idle', 'running', 'queued']),
      runs: z.array(z.object({ runId: z.string(), status: runStatus, startedAt: z.number().optional() })),
      inputTokens: z.number(),
      outputTokens: z.number(),
      unread: z.number(),
    }),
    scope: 'operator.read',
    tool: 'session_status',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'sessions.spawn': method({
    summary: 'Have a task done by a turn in a session of its own; the asking session is told how it ended.',
    params: z.strictObject({
      task: message,
      label: z.string().min(1).max(100).optional(),
      agentId: z.string().min(1).max(64).optional(),
      model: z.string().min(1).max(200).optional(),
      thinking: z.string().optional(),
      /** Seconds of work. */
      runTimeoutSeconds: z.int().min(0).max(86_400).optional(),
      cleanup: z.enum(['keep', 'delete']).optional(),
      /** Waits for the result so many seconds; 0 or absent: does not wait. */
      waitSeconds: z.number().min(0).max(3_600).optional(),
      idempotencyKey: key.optional(),
    }),
    result: z.object({
      status: z.enum(['accepted', 'ok', 'timeout', 'error']),
      runId: z.string(),
      childSessionKey: z.string(),
      reply: z.string().optional(),
      error: z.string().optional(),
    }),
    scope: 'operator.write',
    tool: 'sessions_spawn',
    replay: 'attach',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'agents.list': method({
    summary: 'List the agents of this gateway.',
    params: z.strictObject({}),
    result: z.object({
      defaultId: z.string(),
      mainKey: z.string(),
      scope: z.string(),
      agents: z.array(
        z.object({
          id: z.string(),
          name: z.string().optional(),
          identity: z.partialRecord(z.enum(['name', 'theme', 'emoji', 'avatar']), z.string().optional()).optional(),
        }),
      ),
    }),
    scope: 'operator.read',
    tool: 'agents_list',
    replay: 'read',
    deadlineMs: READ_DEADLINE_MS,
  }),
  'sessions.send': method({
    summary: 'Send a message to another session and wait for its reply, or not (timeoutSeconds 0).',
    params: z.strictObject({
      sessionKey,
      message,
      timeoutSeconds: z.number().min(0).max(3_600).optional(),
      idempotencyKey: key.optional(),
    }),
    result: z.object({
      runId: z.string(),
      status: z.enum(['ok', 'timeout', 'error', 'accepted']),
      reply: z.string().optional(),
      error: z.string().optional(),
      sessionKey: z.string(),
    }),
    scope: 'operator.write',
    tool: 'sessions_send',
    replay: 'attach',
    deadlineMs: READ_DEADLINE_MS,
  }),
}

export const SESSION_SCOPE_METHODS = { ...CHAT_METHODS, ...RUN_METHODS, ...SESSION_METHODS }
