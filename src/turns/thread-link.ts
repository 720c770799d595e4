// The frames between the gateway's thread and a runner thread. One port carries all turns; each ask is answered once,
// by number. Bounded by the turns that run, never by what they say: deltas are not answered.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { ErrorData } from '../base/errors.ts'
import type { TurnCall } from './loop.ts'
import type { TurnMessage, TurnOutcome, TurnTask } from './runner.ts'

export type ToRunner =
  | { readonly type: 'start'; readonly task: TurnTask }
  | { readonly type: 'abort'; readonly runId: string }
  | { readonly type: 'ping' }
  | { readonly type: 'answer'; readonly ask: number; readonly value?: unknown; readonly error?: ErrorData }

export type Ask =
  | { readonly kind: 'attempt'; readonly model: string; readonly because?: string }
  | { readonly kind: 'message'; readonly message: TurnMessage }
  | { readonly kind: 'invoke'; readonly call: TurnCall }

export type FromRunner =
  | { readonly type: 'pong' }
  | { readonly type: 'ask'; readonly runId: string; readonly ask: number; readonly body: Ask }
  /** What turns said in one pass of the thread's loop; always ahead of any later frame. */
  | { readonly type: 'deltas'; readonly deltas: readonly { readonly runId: string; readonly text: string }[] }
  | { readonly type: 'end'; readonly runId: string; readonly outcome?: TurnOutcome; readonly error?: ErrorData }

/** The runner thread's end of the link. */
export class RunnerPort {
  readonly #port: MessagePort
  #take: (frame: ToRunner) => void = () => undefined

  constructor(port: MessagePort) {
    this.#port = port
  }

  post(frame: FromRunner): void {
    this.#port.postMessage(frame)
  }

  /** Each frame is taken once, when the thread's loop comes to it or when it is looked for. */
  listen(take: (frame: ToRunner) => void): void {
    this.#take = take
    this.#port.on('message', take)
  }

  /** Takes what has arrived without waiting for the loop, which comes to it only after all the words that wait. */
  look(): void {
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port)) {
      this.#take(next.message)
    }
  }
}
