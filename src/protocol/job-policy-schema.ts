// The closed schemas of a job's policy as it crosses the wire: given, and patched. What its members mean and which
// defaults hold is said in job-policy.ts.
import * as z from 'zod'
import { DAY, SECOND } from '../base/durations.ts'
import { CATCH_UPS, OVERLAPS, type PolicyInput, STAGGER_SPREAD_MS } from './job-policy.ts'

const epochMs = z.int().min(0).max(8.64e15)

const RETRIES_MAX = 10
const amount = z.number().min(0).max(1_000_000_000_000)

const members = {
  catchUp: z.enum(CATCH_UPS),
  catchUpWindowMs: z.int().min(0),
  overlap: z.enum(OVERLAPS),
  startAtMs: epochMs,
  endAtMs: epochMs,
  maxRuns: z.int().min(1),
  failureAlert: z.boolean(),
  pauseAfterFailures: z.int().min(0),
  jitterMs: z.int().min(0).max(DAY),
  staggerMs: z.int().min(0).max(STAGGER_SPREAD_MS),
  retry: z
    .strictObject({
      max: z.int().min(0).max(RETRIES_MAX),
      backoffMs: z.array(z.int().min(SECOND).max(DAY)).min(1).max(RETRIES_MAX),
    })
    .partial(),
  budget: z.strictObject({ runTokens: amount, runUsd: amount, dayTokens: amount, dayUsd: amount }).partial(),
} satisfies Record<keyof PolicyInput, z.ZodType>

export const policySchema = z.strictObject(members).partial()

type Nullable = { [K in keyof typeof members]: z.ZodNullable<(typeof members)[K]> }
const nullable = Object.fromEntries(Object.entries(members).map(([name, schema]) => [name, schema.nullable()]))
/** Null takes a member back to its default. */
export const policyPatchSchema = z.strictObject(nullable as Nullable).partial()
