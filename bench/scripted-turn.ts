// What the `link` bench and its runner thread agree on: the pace of a scripted turn, and the report of one call.

/** A model's step: so long, in so many words; then a call. */
export const STEP_MS = 1_000
export const WORDS_PER_STEP = 10
export const STEPS = 30

export interface Report {
  /** Run and call. */
  readonly key: string
  readonly roundTripMs: number
}
