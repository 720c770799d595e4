// Declarations of the methods on channels: how they fare, and who may talk there beside those whom the config names.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND
const id = z.string().min(1).max(300)
const idempotencyKey = id.optional()

const personSchema = z.object({
  channel: z.string(),
  /** The channel's own id of the person. */
  person: z.string(),
  name: z.string().optional(),
  handle: z.string().optional(),
  letInAtMs: z.number(),
  letInBy: z.string(),
  /** May let others in, from their direct chat. */
  owner: z.boolean(),
})

const strangerSchema = personSchema.omit({ letInAtMs: true, letInBy: true, owner: true }).extend({
  ...{ code: z.string(), chat: z.string(), createdAtMs: z.number(), expiresAtMs: z.number() },
  /** Who denied it, if somebody did: the code is nobody's any more. */
  deniedBy: z.string().optional(),
})
const code = z.string().trim().toUpperCase().min(1).max(100)

/** One account of a channel; clients of the family read the first five. */
const accountSchema = z.object({
  accountId: z.string(),
  enabled: z.boolean(),
  configured: z.boolean(),
  running: z.boolean(),
  lastError: z.string().nullable(),
  lastInboundAt: z.number().nullable(),
  lastOutboundAt: z.number().nullable(),
  /** Ours: `starting`, `running`, `offline` (it tries again by itself), `failed` (its owner must do something), `stopped`. */
  phase: z.string(),
  /** Ours: who it is to its people. */
  account: z.string().optional(),
  /** Ours: messages that were heard since the start, and that were not, by why. */
  heard: z.number(),
  dropped: z.record(z.string(), z.number()),
  /** Ours: sends that wait; counted to 500. */
  queued: z.number(),
})

const pairing = { scope: 'operator.pairing', deadlineMs: DEADLINE_MS } as const

export const CHANNEL_METHODS = {
  'channels.status': method({
    summary: 'Say which channels there are and how they are.',
    params: z.strictObject({ probe: z.boolean().optional(), timeoutMs: z.int().min(0).optional() }),
    result: z.object({
      ts: z.number(),
      channelOrder: z.array(z.string()),
      channelLabels: z.record(z.string(), z.string()),
      channelDetailLabels: z.record(z.string(), z.string()),
      channelSystemImages: z.record(z.string(), z.string()),
      channelMeta: z.array(z.object({ id: z.string(), label: z.string(), detailLabel: z.string() })),
      channels: z.record(z.string(), z.object({ configured: z.boolean(), running: z.boolean() })),
      channelAccounts: z.record(z.string(), z.array(accountSchema)),
      channelDefaultAccountId: z.record(z.string(), z.string()),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'channels.pairing.list': method({
    summary: 'Show the strangers who have a code, and the people who were let in by one.',
    params: z.strictObject({}),
    result: z.object({ strangers: z.array(strangerSchema), people: z.array(personSchema) }),
    replay: 'read',
    ...pairing,
  }),
  'channels.pairing.approve': method({
    summary: 'Let the stranger with this code talk on their channel; they are told.',
    /** `owner`: they may let others in, too, from the chat in which they asked. */
    params: z.strictObject({ code, owner: z.boolean().optional(), idempotencyKey }),
    result: z.object({ ok: z.literal(true), person: personSchema }),
    replay: 'transactional',
    ...pairing,
  }),
  'channels.pairing.deny': method({
    summary: 'Make the code of a stranger void; they are told nothing, and may have another when its hour is over.',
    params: z.strictObject({ code, idempotencyKey }),
    result: z.object({ ok: z.literal(true), stranger: strangerSchema }),
    replay: 'transactional',
    ...pairing,
  }),
  'channels.pairing.revoke': method({
    summary: 'Shut out a person who was let in by a code; those whom the config names are named there.',
    /** `ownerOnly`: they may still talk, but no longer let others in. */
    params: z.strictObject({ channel: id, person: id, ownerOnly: z.boolean().optional(), idempotencyKey }),
    result: z.object({ ok: z.literal(true), removed: z.boolean() }),
    replay: 'transactional',
    ...pairing,
  }),
}
