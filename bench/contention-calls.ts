// What the processes and threads of the `contention` bench agree on: the two calls that are measured, how a right
// answer looks, and what the probes in the gateway are told and tell.
import type { LoopDelay } from '../src/base/node/loop-delay.ts'
import { jobInput } from './state.ts'

export const LISTED_JOBS = 10
export type CallName = 'list' | 'add'
export const CALL_NAMES: readonly CallName[] = ['list', 'add']

/** The model's pace: twenty words a second, and a call after so many of them. A turn's forty steps outlast the bench. */
export const WORD_EVERY_MS = 50
export const WORDS_PER_STEP = 25

/** A job that nobody made before. It is disabled, so that the list stays at ten jobs whatever is added. */
export function newJob(name: string) {
  return { ...jobInput(7), name, enabled: false }
}

export type Samples = Record<CallName, number[]>
export function noSamples(): Samples {
  return { list: [], add: [] }
}

/** One call over the link as its turn saw it: from the ask that left the runner thread to the answer that reached it. */
export interface LinkReport {
  /** Run and call. */
  readonly key: string
  readonly call: CallName
  readonly isRight: boolean
  /** Both on the clock that all threads share, in milliseconds. */
  readonly askedAt: number
  readonly answeredAt: number
}
export const LINK_CHANNEL = 'bench-contention'

/** Milliseconds of the one monotonic clock of this machine, the same in all threads. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** While `own` runs the gateway's own ways are measured; while `dial` runs the client opens a connection per call. */
export type WindowName = 'own' | 'dial'
export type ToProbe =
  | { readonly type: 'begin'; readonly window: WindowName }
  | { readonly type: 'end' }
  | { readonly type: 'read' }

export interface WindowFound {
  readonly window: WindowName
  readonly loop: ReturnType<LoopDelay['read']>
  /** Share of the time in which the control loop worked or was kept from its core. */
  readonly busy: number
}

/** Where one call over the link spent its time, in milliseconds. */
export interface LinkParts {
  readonly call: CallName
  /** From the ask until the control loop takes it up. */
  readonly outMs: number
  /** The call itself: its event, the tool, the method; for `add` with its own commit. */
  readonly workMs: number
  /** The commit of the call's result, as the control loop sees it. */
  readonly commitMs: number
  /** From the answer until the runner thread takes it up. */
  readonly backMs: number
}

export interface Found {
  readonly windows: readonly WindowFound[]
  readonly inProcess: Samples
  /** `cron.list` once more before the next commit: the door alone, as the store remembers what it has read. */
  readonly again: readonly number[]
  readonly inProcessErrors: number
  readonly overLink: readonly LinkParts[]
  readonly linkErrors: number
}
