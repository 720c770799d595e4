// Declarations of the methods that find, set, end and fill sessions.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'
import { QUEUE_MODES } from '../queue-modes.ts'

const DEADLINE_MS = 10 * SECOND
const key = z.string().min(1).max(300)
const idempotencyKey = key.optional()
const word = z.string().trim().min(1).max(200).nullable().optional()
const oneOf = <const W extends readonly [string, ...string[]]>(words: W) => z.enum(words).nullable().optional()

const setting = {
  label: z.string().trim().min(1).max(64, 'a label has at most 64 characters').nullable().optional(),
  model: word,
  queueMode: oneOf(QUEUE_MODES),
  sendPolicy: oneOf(['allow', 'deny']),
  thinkingLevel: oneOf(['off', 'minimal', 'low', 'medium', 'high', 'xhigh']),
  verboseLevel: oneOf(['off', 'on', 'full']),
  reasoningLevel: oneOf(['off', 'on', 'stream']),
  responseUsage: oneOf(['off', 'tokens', 'full', 'on']),
  elevatedLevel: word,
  execHost: word,
  execSecurity: word,
  execAsk: word,
  execNode: word,
  spawnedBy: word,
  groupActivation: oneOf(['mention', 'always']),
}

const entry = z.object({ sessionId: z.string(), updatedAt: z.number() }).loose()

export const SESSION_ADMIN_METHODS = {
  'sessions.preview': method({
    summary: 'Show the last lines of several sessions.',
    params: z.strictObject({
      keys: z.array(key).min(1),
      limit: z.int().min(1).max(100).optional(),
      maxChars: z.int().min(20).max(2_000).optional(),
    }),
    result: z.object({
      ts: z.number(),
      previews: z.array(
        z.object({
          key: z.string(),
          status: z.enum(['ok', 'empty', 'missing', 'error']),
          items: z.array(
            z.object({ role: z.enum(['user', 'assistant', 'tool', 'system', 'other']), text: z.string() }),
          ),
        }),
      ),
    }),
    scope: 'operator.read',
    tool: 'sessions_history',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'sessions.resolve': method({
    summary: 'Find the key of a session by its key, its label or its transcript.',
    params: z.strictObject({
      key: key.optional(),
      sessionId: key.optional(),
      label: key.optional(),
      agentId: z.string().optional(),
      spawnedBy: z.string().optional(),
      includeGlobal: z.boolean().optional(),
      includeUnknown: z.boolean().optional(),
    }),
    result: z.object({ ok: z.literal(true), key: z.string() }),
    scope: 'operator.read',
    tool: 'sessions_list',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'sessions.patch': method({
    summary: 'Set what holds for one session: its label, model, queue mode and the like; null takes a setting back.',
    params: z.strictObject({ key, ...setting, idempotencyKey }),
    result: z.object({ ok: z.literal(true), path: z.string(), key: z.string(), entry }),
    scope: 'operator.admin',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
  'sessions.delete': method({
    summary: 'Delete a session: its turns are stopped, and its transcript is shown to nobody any more.',
    params: z.strictObject({ key, deleteTranscript: z.boolean().optional(), idempotencyKey }),
    result: z.object({
      ok: z.literal(true),
      key: z.string(),
      deleted: z.boolean(),
      /** Transcripts that are kept until they are old. */
      archived: z.array(z.string()),
    }),
    scope: 'operator.admin',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
  'chat.inject': method({
    summary: 'Put a text of the assistant into a session, without a turn.',
    params: z.strictObject({
      sessionKey: key,
      message: z.string().min(1).max(200_000),
      label: z.string().max(100).optional(),
      idempotencyKey,
    }),
    result: z.object({ ok: z.literal(true), messageId: z.string() }),
    scope: 'operator.admin',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
  wake: method({
    summary: 'Tell the main session of the default agent something, as an event that it reads at its next free moment.',
    params: z.strictObject({
      mode: z.enum(['now', 'next-heartbeat']),
      text: z.string().min(1).max(200_000),
      idempotencyKey,
    }),
    result: z.object({ ok: z.boolean() }),
    scope: 'operator.write',
    replay: 'attach',
    deadlineMs: DEADLINE_MS,
  }),
  'agent.identity.get': method({
    summary: 'Say who an agent is.',
    params: z.strictObject({ agentId: z.string().optional(), sessionKey: z.string().optional() }),
    result: z.object({ agentId: z.string(), name: z.string(), avatar: z.string() }),
    scope: 'operator.read',
    tool: 'agents_list',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
}
