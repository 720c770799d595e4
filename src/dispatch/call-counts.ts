// What passed the one door: per method how many calls, which errors, and how long the work took. Of durations only the
// counts in buckets are kept, 2 KB per method that was ever called; no call is remembered, and nothing is written down.
import type { ErrorCode } from '../base/errors.ts'
import type { MethodName } from '../protocol/catalogue.ts'

/** Eight buckets double the duration: a quantile is at most 9 % above the true one, and never below it. */
const BUCKETS_PER_DOUBLING = 8
/** The first bucket ends at 1 us; the last one at 71 minutes, and takes what is longer. */
const BUCKETS = 32 * BUCKETS_PER_DOUBLING
const US_PER_MS = 1_000

export class MethodCounts {
  readonly method: string
  readonly errors = new Map<ErrorCode, number>()
  calls = 0
  workMs = 0
  readonly #buckets = new Float64Array(BUCKETS)

  constructor(method: string) {
    this.method = method
  }

  add(workMs: number, error: ErrorCode | undefined): void {
    this.calls += 1
    this.workMs += workMs
    const bucket = Math.ceil(Math.log2(Math.max(1, workMs * US_PER_MS)) * BUCKETS_PER_DOUBLING)
    const index = Math.min(bucket, BUCKETS - 1)
    this.#buckets[index] = (this.#buckets[index] as number) + 1
    if (error !== undefined) this.errors.set(error, (this.errors.get(error) ?? 0) + 1)
  }

  get errorCount(): number {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Milliseconds within which this share of the calls was done; `share` is above 0 and at most 1. */
  quantileMs(share: number): number {
    let missing = Math.ceil(share * this.calls)
    const bucket = this.#buckets.findIndex(count => {
      missing -= count
      return missing <= 0
    })
    return 2 ** (bucket / BUCKETS_PER_DOUBLING) / US_PER_MS
  }
}

export class CallCounts {
  readonly #methods = new Map<string, MethodCounts>()

  /** All calls of names that no method has are counted together: names from outside must not fill the memory. */
  add(method: MethodName | 'unknown', workMs: number, error: ErrorCode | undefined): void {
    let counts = this.#methods.get(method)
    if (!counts) {
      counts = new MethodCounts(method)
      this.#methods.set(method, counts)
    }
    counts.add(workMs, error)
  }

  list(): MethodCounts[] {
    return [...this.#methods.values()]
  }

  /** Calls of all methods that ended with this error. */
  errorCount(code: ErrorCode): number {
    return this.list().reduce((sum, { errors }) => sum + (errors.get(code) ?? 0), 0)
  }
}
