// The calls of one connection that wait for an answer: each ends exactly once, by its answer, its time-out, its signal or
// the end of the connection, and its error says what is known of the work behind it. It knows no socket.
import { formatDuration } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { Clock, Timer } from '../base/world.ts'
import { fromWireError } from '../protocol/error-codes.ts'
import type { ResponseFrame } from '../protocol/frames.ts'

export interface CallOptions {
  /** Bounds the wait, not the work. None: waits as long as the connection lives. */
  readonly timeoutMs?: number
  /** Ends the wait, not the work. */
  readonly signal?: AbortSignal
  /** Given: the call resolves on its last answer, and this hears the first one of status `accepted`. */
  readonly onEarly?: (payload: Readonly<Record<string, unknown>>) => void
}

export interface Closed {
  readonly code: number
  readonly reason: string
}

interface Pending {
  readonly method: string
  readonly options: CallOptions
  readonly resolve: (payload: unknown) => void
  readonly reject: (error: SluiceError) => void
  /** The run that was begun, once an early answer has named it. */
  runId?: string
  timer?: Timer
  stopListening?: () => void
}

export class Calls {
  readonly #clock: Clock
  readonly #pending = new Map<string, Pending>()
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Registers a call; `send` is given its id, and what it throws is the call's error. */
  begin(method: string, options: CallOptions, send: (id: string) => void): Promise<unknown> {
    this.#count += 1
    const id = String(this.#count)
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted)
        return reject(new SluiceError('CANCELLED', 'Stopped before it was sent.', { outcome: 'not-started' }))
      const pending: Pending = { method, options, resolve, reject }
      this.#pending.set(id, pending)
      this.#bound(id, pending)
      try {
        send(id)
      } catch (error) {
        this.#take(id)
        reject(error)
      }
    })
  }

  /** An answer nobody waits for is dropped: its call has ended before. */
  settle(frame: ResponseFrame): void {
    const pending = this.#pending.get(frame.id)
    if (!pending) return
    if (frame.ok && pending.options.onEarly && isAccepted(frame.payload)) {
      if (typeof frame.payload.runId === 'string') pending.runId = frame.payload.runId
      pending.options.onEarly(frame.payload)
      return
    }
    this.#take(frame.id)
    if (frame.ok) pending.resolve(frame.payload)
    else pending.reject(refusalOf(frame, pending.method))
  }

  /** The connection is gone: nothing will be answered any more. */
  endAll({ code, reason }: Closed): void {
    for (const [id, pending] of [...this.#pending]) {
      this.#take(id)
      const how = reason ? `${code} ${reason}` : String(code)
      const message = pending.runId
        ? `The connection closed (${how}) before ${pending.method} ended. Its run ${pending.runId} may go on.`
        : `The connection closed (${how}) before ${pending.method} was answered. Whether it was done is not known.`
      pending.reject(
        new SluiceError('UNAVAILABLE', message, {
          outcome: 'unknown',
          details: { method: pending.method, closeCode: code, closeReason: reason, ...runOf(pending) },
        }),
      )
    }
  }

  #bound(id: string, pending: Pending): void {
    const { timeoutMs, signal } = pending.options
    if (timeoutMs !== undefined) {
      pending.timer = this.#clock.after(timeoutMs, () => {
        this.#take(id)
        const waited = `${pending.method} did not answer within ${formatDuration(timeoutMs)}.`
        pending.reject(
          pending.runId
            ? new SluiceError('TIMEOUT', `${waited} Only the wait ended: run ${pending.runId} goes on.`, {
                outcome: 'continues',
                details: runOf(pending),
              })
            : new SluiceError('TIMEOUT', `${waited} Only the wait ended: the gateway may still do it.`, {
                outcome: 'unknown',
              }),
        )
      })
    }
    if (!signal) return
    const stop = () => {
      this.#take(id)
      const message = `Stopped waiting for ${pending.method}; the gateway may still do it.`
      pending.reject(
        new SluiceError('CANCELLED', message, {
          outcome: pending.runId ? 'continues' : 'unknown',
          details: runOf(pending),
        }),
      )
    }
    signal.addEventListener('abort', stop, { once: true })
    pending.stopListening = () => signal.removeEventListener('abort', stop)
  }

  #take(id: string): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.timer?.cancel()
    pending?.stopListening?.()
  }
}

function refusalOf(frame: ResponseFrame, method: string): SluiceError {
  return frame.error && typeof frame.error.message === 'string'
    ? fromWireError(frame.error)
    : new SluiceError('UNAVAILABLE', `The gateway refused ${method} and gave no reason.`)
}

function runOf(pending: Pending): Record<string, unknown> {
  return pending.runId ? { runId: pending.runId } : {}
}

function isAccepted(payload: unknown): payload is Record<string, unknown> {
  return typeof payload === 'object' && payload !== null && (payload as { status?: unknown }).status === 'accepted'
}
