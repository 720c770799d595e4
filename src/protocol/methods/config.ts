// Declarations of the methods on the config and of the restart.
import * as z from 'zod'
import { MINUTE, SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND
const RAW_LENGTH_MAX = 200_000

const text = z.string().min(1).max(300).optional()
const delayMs = z.int().min(0).max(MINUTE).optional()
const issues = z.array(z.object({ path: z.string(), message: z.string() }))

/** JSON5: a whole document, or a merge patch, in which null deletes a key. */
const raw = z.string().max(RAW_LENGTH_MAX)
const baseHash = z.string().max(100).optional()

/** What every change answers. */
const CHANGED = {
  ok: z.literal(true),
  path: z.string(),
  config: z.unknown(),
  /** Ours: the changed keys that hold from now on. */
  applied: z.array(z.string()),
  /** Ours: changed keys that change nothing, because a flag or the environment wins over them. */
  overridden: z.array(z.object({ key: z.string(), by: z.string() })),
}

const CHANGE_PARAMS = z.strictObject({
  raw,
  baseHash,
  /** Taken for clients that send it; a turn goes on after a restart without it. */
  sessionKey: text,
  note: text,
  restartDelayMs: delayMs,
  idempotencyKey: text,
})
const CHANGE_RESULT = z.object({
  ...CHANGED,
  /** Null when none is needed. */
  restart: z
    .object({
      ok: z.literal(true),
      pid: z.number(),
      signal: z.string(),
      delayMs: z.number(),
      reason: z.string(),
      mode: z.literal('emit'),
      restartAtMs: z.number(),
    })
    .nullable(),
})

const CHANGE = {
  params: CHANGE_PARAMS,
  result: CHANGE_RESULT,
  scope: 'operator.admin',
  tool: 'gateway',
  replay: 'none',
  deadlineMs: DEADLINE_MS,
} as const

export const CONFIG_METHODS = {
  'config.get': method({
    summary: 'Show the config file, without its secrets, and what is wrong with it.',
    params: z.strictObject({}),
    result: z.object({
      path: z.string(),
      exists: z.boolean(),
      /** Null when there is no file, or one that cannot be parsed. */
      raw: z.string().nullable(),
      parsed: z.unknown(),
      valid: z.boolean(),
      config: z.unknown(),
      /** The files that it includes, and the config with them; absent where it includes none. */
      includes: z.array(z.string()).optional(),
      whole: z.unknown().optional(),
      /** SHA-256 of the file's text in hex; of no text when there is no file. */
      hash: z.string(),
      issues,
      warnings: issues,
      legacyIssues: issues,
    }),
    scope: 'operator.admin',
    tool: 'gateway',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'config.schema': method({
    summary: 'Show what the config may say: its JSON Schema, and what each key means.',
    params: z.strictObject({}),
    result: z.object({
      schema: z.record(z.string(), z.unknown()),
      /** By path; `*` stands for a name that people choose, or for a place in a list. */
      uiHints: z.record(
        z.string(),
        z.object({ label: z.string(), help: z.string(), group: z.string(), sensitive: z.literal(true).optional() }),
      ),
      version: z.string(),
      generatedAt: z.string(),
    }),
    scope: 'operator.admin',
    tool: 'gateway',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'config.set': method({
    summary: 'Replace the config file; what can be is taken up at once, and nothing is restarted.',
    params: z.strictObject({ raw, baseHash, idempotencyKey: text }),
    result: z.object({
      ...CHANGED,
      /** Ours: changed keys that hold only after a restart. */
      restartNeeded: z.array(z.string()),
    }),
    scope: 'operator.admin',
    tool: 'gateway',
    replay: 'none',
    deadlineMs: DEADLINE_MS,
  }),
  'config.patch': method({
    summary: 'Change the config by a merge patch; taken up at once, or by a restart where only that can.',
    ...CHANGE,
  }),
  'config.apply': method({
    summary: 'Replace the config file; taken up at once, or by a restart where only that can.',
    ...CHANGE,
  }),
  'gateway.restart': method({
    summary: 'Restart the gateway; turns that run go on afterwards.',
    params: z.strictObject({ reason: text, delayMs, idempotencyKey: text }),
    result: z.object({
      ok: z.literal(true),
      restartAtMs: z.number(),
      delayMs: z.number(),
      reason: z.string().optional(),
    }),
    scope: 'operator.admin',
    tool: 'gateway',
    replay: 'none',
    deadlineMs: DEADLINE_MS,
  }),
}
