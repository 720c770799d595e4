// What a job may say of how it is carried out: what becomes of missed instants and of one that falls due while another
// runs, when it begins and ends, and when a person hears that it fails. All of it is optional, and ours; the defaults are
// here and nowhere else, and are shown wherever a job is.
import * as z from 'zod'
import { DAY, MINUTE } from '../base/durations.ts'

const epochMs = z.int().min(0).max(8.64e15)

export const CATCH_UPS = ['skip', 'latest', 'all'] as const
export const OVERLAPS = ['skip', 'queue-one', 'queue-all', 'cancel-previous', 'allow'] as const

export const policySchema = z.strictObject({
  /** Of instants that passed while nobody fired them: none is made up, the latest, or all. */
  catchUp: z.enum(CATCH_UPS).optional(),
  /** How late an instant may still be made up; absent: however late. */
  catchUpWindowMs: z.int().min(0).optional(),
  /** What an instant does that falls due while the job runs. */
  overlap: z.enum(OVERLAPS).optional(),
  startAtMs: epochMs.optional(),
  endAtMs: epochMs.optional(),
  /** The job ends with so many runs by its schedule; those by hand do not count. */
  maxRuns: z.int().min(1).optional(),
  /** Tell the job's chat when it begins to fail, and when it works again. */
  failureAlert: z.boolean().optional(),
  /** Switch the job off after so many failures in a row; 0: never. */
  pauseAfterFailures: z.int().min(0).optional(),
  /** Fire up to so much later than the schedule says, by a delay that is the job's own and stays the same. */
  jitterMs: z.int().min(0).max(DAY).optional(),
})
export type PolicyInput = z.infer<typeof policySchema>

/** In a patch null takes a member back to its default. */
export const policyPatchSchema = z.strictObject(
  Object.fromEntries(Object.entries(policySchema.shape).map(([name, schema]) => [name, schema.nullable()])) as {
    [K in keyof typeof policySchema.shape]: z.ZodNullable<(typeof policySchema.shape)[K]>
  },
)
export type PolicyPatch = z.infer<typeof policyPatchSchema>

/** What has no default is absent: then there is no such bound. */
type Bounds = 'catchUpWindowMs' | 'startAtMs' | 'endAtMs' | 'maxRuns'
export type Policy = { [K in Exclude<keyof PolicyInput, Bounds>]-?: NonNullable<PolicyInput[K]> } & Pick<
  PolicyInput,
  Bounds
>

/** The policy that holds for a job, its defaults filled in. Who wants all instants made up does not want them skipped. */
export function policyOf({ policy = {} }: { readonly policy?: PolicyInput | undefined }): Policy {
  return {
    catchUp: 'latest',
    overlap: policy.catchUp === 'all' ? 'queue-all' : 'skip',
    failureAlert: true,
    pauseAfterFailures: 0,
    jitterMs: 0,
    ...(policy as Partial<Policy>),
  }
}

export function patchedPolicy(policy: PolicyInput, patch: PolicyPatch): PolicyInput {
  const merged = Object.entries({ ...policy, ...patch })
  return Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined))
}

/** An instant so late is on time: timers sleep, and machines are busy. */
export const ON_TIME_MS = MINUTE
/** Of one job, instants that are made up at most. */
export const CATCH_UP_MAX = 100
/** Occurrences of one job that may be under way or wait at once. */
export const UNDER_WAY_MAX = 100
