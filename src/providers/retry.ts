// Asks again before the first token when a failure may pass by itself, never after text was shown. Bounded and aborted
// with the request.
import { SECOND } from '../base/durations.ts'
import { pause } from '../base/pause.ts'
import type { Clock } from '../base/world.ts'
import type { Model, ModelEvent, ModelFailure, ModelFailureKind, ModelRequest } from './model.ts'

const TRIES_MAX = 3
const DELAY_MS = 0.5 * SECOND
/** A provider that asks for a longer pause than this is reported at once instead. */
const RETRY_AFTER_MS_MAX = 20 * SECOND
/** Not `timed-out`: it has cost its time once. */
const MAY_PASS: ReadonlySet<ModelFailureKind> = new Set(['rate-limited', 'unavailable', 'cut-off'])

export function withRetries(model: Model, clock: Clock): Model {
  return { ref: model.ref, stream: request => streamWithRetries(model, clock, request) }
}

async function* streamWithRetries(model: Model, clock: Clock, request: ModelRequest): AsyncGenerator<ModelEvent> {
  for (let tried = 1; ; tried += 1) {
    let shown = false
    let failure: ModelFailure | undefined
    for await (const event of model.stream(request)) {
      if (event.type === 'failed' && !shown && tried < TRIES_MAX && mayPass(event)) failure = event
      else yield event
      shown ||= event.type === 'delta'
    }
    if (!failure) return
    // An abort ends the pause; the next try then reports it.
    await pause(clock, failure.retryAfterMs ?? DELAY_MS * 2 ** (tried - 1), request.signal)
  }
}

function mayPass(failure: ModelFailure): boolean {
  return MAY_PASS.has(failure.kind) && (failure.retryAfterMs ?? 0) <= RETRY_AFTER_MS_MAX
}
