// The one bound of these tests. It catches a hang and is no measure of speed: what must not wait is proved by a gate.

export const BOUND_MS = 30_000

/** The promise's own end, or a failure that names what did not come. */
export function within<T>(promise: Promise<T>, what: string | (() => string), boundMs = BOUND_MS): Promise<T> {
  const { promise: silence, reject } = Promise.withResolvers<never>()
  const late = () => reject(new Error(`did not come within ${boundMs} ms: ${typeof what === 'string' ? what : what()}`))
  const timer = setTimeout(late, boundMs) // bound:
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer))
}
