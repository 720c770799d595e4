// Runs turns in one worker thread, started with the first turn, so that a model's stream never holds up the control
// loop (W8). When the thread dies its turns are reported lost, and the next turn starts a new one.
import { Worker } from 'node:worker_threads'
import { errorFromData, errorToData, SluiceError } from '../base/errors.ts'
import type { Runner, TurnLink, TurnOutcome, TurnTask } from './runner.ts'
import type { Ask, FromRunner, ToRunner } from './thread-link.ts'

/**
 * A small young generation keeps a streaming thread's memory flat: by default it grows to many times what is alive.
 * The old generation is a bound on a runaway turn; when it is reached the thread is lost and its turns go on in another.
 */
const HEAP = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 512 }

interface LiveTurn {
  readonly worker: Worker
  readonly link: TurnLink
  readonly resolve: (outcome: TurnOutcome) => void
  readonly reject: (error: SluiceError) => void
}

export class ThreadRunner implements Runner {
  readonly #entry: URL
  readonly #live = new Map<string, LiveTurn>()
  #worker: Worker | undefined

  /** `entry` is the runner's entry file. */
  constructor(entry: URL) {
    this.#entry = entry
  }

  async run(task: TurnTask, link: TurnLink, signal: AbortSignal): Promise<TurnOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<TurnOutcome>()
    const worker = this.#started()
    const turn: LiveTurn = { worker, link, resolve, reject }
    this.#live.set(task.runId, turn)
    const abort = () => this.#post(worker, { type: 'abort', runId: task.runId })
    this.#post(worker, { type: 'start', task })
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', abort)
      if (this.#live.get(task.runId) === turn) this.#live.delete(task.runId)
    }
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #started(): Worker {
    if (this.#worker) return this.#worker
    const worker = new Worker(this.#entry, { name: 'sluice-runner', resourceLimits: HEAP })
    worker.on('message', (frame: FromRunner) => this.#receive(worker, frame))
    worker.on('error', error => this.#lost(worker, error))
    worker.on('exit', () => this.#lost(worker, undefined))
    worker.unref()
    this.#worker = worker
    return worker
  }

  #receive(worker: Worker, frame: FromRunner): void {
    const turn = this.#live.get(frame.runId)
    if (turn?.worker !== worker) return
    switch (frame.type) {
      case 'delta':
        turn.link.delta(frame.text)
        return
      case 'ask':
        answer(turn.link, frame.body).then(
          value => this.#post(worker, { type: 'answer', ask: frame.ask, value }),
          error => this.#post(worker, { type: 'answer', ask: frame.ask, error: errorToData(error) }),
        )
        return
      case 'end':
        if (frame.outcome) turn.resolve(frame.outcome)
        else turn.reject(frame.error ? errorFromData(frame.error) : lostError(undefined))
    }
  }

  #post(worker: Worker, frame: ToRunner): void {
    worker.postMessage(frame)
  }

  #lost(worker: Worker, error: unknown): void {
    if (this.#worker === worker) this.#worker = undefined
    for (const turn of this.#live.values()) if (turn.worker === worker) turn.reject(lostError(error))
  }
}

function answer(link: TurnLink, ask: Ask): Promise<unknown> {
  switch (ask.kind) {
    case 'attempt':
      return link.attempt(ask.model)
    case 'message':
      return link.message(ask.message)
    case 'invoke':
      return link.invoke(ask.call)
  }
}

function lostError(cause: unknown): SluiceError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  return new SluiceError('UNAVAILABLE', `The thread that ran this turn was lost${reason}.`, { cause })
}
