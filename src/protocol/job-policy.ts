// What a job may say of how it is carried out: what becomes of missed instants and of one that falls due while another
// runs, when it begins and ends, and when a person hears that it fails. All of it is optional, and ours; the defaults are
// here and nowhere else, and are shown wherever a job is. Knows no schema, so that
// a terminal and the store's threads need not load one.
import { MINUTE } from '../base/durations.ts'

export const CATCH_UPS = ['skip', 'latest', 'all'] as const
export const OVERLAPS = ['skip', 'queue-one', 'queue-all', 'cancel-previous', 'allow'] as const
/** Of a run after which another job fires; `failed`: also timed out or unknown; `any`: also one that somebody stopped. */
export const AFTER_ENDS = ['ok', 'failed', 'any'] as const
/** States of an occurrence in the ledger; the wire's run log maps them to ok, error, skipped. */
export const OCCURRENCE_STATES = ['running', 'ok', 'failed', 'timed-out', 'cancelled', 'skipped', 'unknown'] as const

export interface Policy {
  /** Of instants that passed while nobody fired them: none is made up, the latest, or all. */
  catchUp: (typeof CATCH_UPS)[number]
  /** How late an instant may still be made up; absent: however late. */
  catchUpWindowMs?: number | undefined
  /** What an instant does that falls due while the job runs. */
  overlap: (typeof OVERLAPS)[number]
  /** The first and the last instant of its schedule that may fire; absent: no bound, as with `maxRuns`. */
  startAtMs?: number | undefined
  endAtMs?: number | undefined
  /** The job ends with so many runs by its schedule; those by hand do not count. */
  maxRuns?: number | undefined
  /** Tell the job's chat when it begins to fail, and when it works again. */
  failureAlert: boolean
  /** Switch the job off after so many failures in a row; 0: never. */
  pauseAfterFailures: number
  /**
   * How often a run is tried again that failed by what may pass (a provider that is down or has too much to do), and how
   * long after each failure; the last pause is that of all further ones.
   */
  retry: { max: number; backoffMs: number[] }
  /** The most that a run, or all runs of a day, may use of models; what the config allows is the bound of it. */
  budget?: Budget | undefined
  /** Fire up to so much later than the schedule says, by a delay that is the job's own and stays the same. */
  jitterMs: number
  /**
   * Of a job that does work: begin so much later than the one before it that is due at the same instant; 0: with the
   * first. Absent: as the config says (`cron.staggerMs`).
   */
  staggerMs?: number | undefined
}

export type Budget = { readonly [K in 'runTokens' | 'runUsd' | 'dayTokens' | 'dayUsd']?: number | undefined }

/** As it is given: of `retry` either member may be left to its default. */
type Given = {
  [K in keyof Policy]: K extends 'retry' ? { [M in keyof Policy['retry']]?: Policy['retry'][M] | undefined } : Policy[K]
}
export type PolicyInput = { [K in keyof Given]?: Given[K] | undefined }
export type PolicyPatch = { [K in keyof Given]?: Given[K] | null | undefined }

export const RETRY_DEFAULT: Policy['retry'] = { max: 2, backoffMs: [MINUTE, 5 * MINUTE] }

/** The policy that holds for a job, its defaults filled in. Who wants all instants made up does not want them skipped. */
export function policyOf({ policy = {} }: { readonly policy?: PolicyInput | undefined }): Policy {
  const { retry, ...others } = policy
  return {
    catchUp: 'latest',
    overlap: policy.catchUp === 'all' ? 'queue-all' : 'skip',
    failureAlert: true,
    pauseAfterFailures: 0,
    jitterMs: 0,
    ...(others as Partial<Policy>),
    retry: { ...RETRY_DEFAULT, ...(retry as Partial<Policy['retry']>) },
  }
}

/** In a patch null takes a member back to its default. */
export function patchedPolicy(policy: PolicyInput, patch: PolicyPatch): PolicyInput {
  const given = Object.entries(patch)
    .filter(([, value]) => value !== undefined)
    // What has members of its own keeps those that are not named.
    .map(([name, value]) => {
      const before = policy[name as keyof Policy]
      return [name, typeof value === 'object' && typeof before === 'object' ? value && { ...before, ...value } : value]
    })
  const merged = Object.entries({ ...policy, ...Object.fromEntries(given) })
  return Object.fromEntries(merged.filter(([, value]) => value !== null))
}

/** An instant so late is on time: timers sleep, and machines are busy. */
export const ON_TIME_MS = MINUTE
/** Jobs that share an instant begin within so much of it, however many they are. */
export const STAGGER_SPREAD_MS = MINUTE
/** Whether a job starts a turn or a process, so that a stagger holds for it: what a person is told has its time. */
export function doesWork({ payload, when }: { payload: { kind: string }; when?: object | undefined }): boolean {
  return when !== undefined || payload.kind === 'agentTurn' || payload.kind === 'command'
}
/** Of one job, instants that are made up at most. */
export const CATCH_UP_MAX = 100
/** Occurrences of one job that may be under way or wait at once. */
export const UNDER_WAY_MAX = 100
