// Runs turns in one worker thread, started with the first turn, so that a model's stream never holds up the control
// loop (W8). When the thread dies, or no longer answers after a turn of it was let go, its turns are reported lost, and
// the next turn starts a new one. It judges no turn: that one does not end is for its engine to say.
import { Worker } from 'node:worker_threads'
import { formatDuration, SECOND } from '../base/durations.ts'
import { type ErrorData, errorFromData, errorToData, SluiceError } from '../base/errors.ts'
import type { Clock, Timer } from '../base/world.ts'
import type { Runner, TurnLink, TurnOutcome, TurnTask } from './runner.ts'
import type { Ask, FromRunner, ToRunner } from './thread-link.ts'

/**
 * A small young generation keeps a streaming thread's memory flat: by default it grows to many times what is alive.
 * The old generation is a bound on a runaway turn; when it is reached the thread is lost and its turns go on in another.
 */
const HEAP = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 512 }
/** How long a thread may be silent after it was asked whether it lives; one that only waits answers at once. */
const PONG_MS_MAX = 2 * SECOND

interface LiveTurn {
  readonly worker: Worker
  readonly link: TurnLink
  /** Numbers of its asks that are not answered yet. */
  readonly asks: Set<number>
  readonly resolve: (outcome: TurnOutcome) => void
  readonly reject: (error: SluiceError) => void
}

export class ThreadRunner implements Runner {
  readonly #entry: URL
  readonly #clock: Clock
  readonly #live = new Map<string, LiveTurn>()
  #worker: Worker | undefined
  /** Stands while the present thread owes a sign of life. */
  #pongDue: Timer | undefined

  /** `entry` is the runner's entry file. */
  constructor(entry: URL, clock: Clock) {
    this.#entry = entry
    this.#clock = clock
  }

  async run(task: TurnTask, link: TurnLink, signal: AbortSignal): Promise<TurnOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<TurnOutcome>()
    const worker = this.#started()
    const turn: LiveTurn = { worker, link, asks: new Set(), resolve, reject }
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

  abandon(runId: string): void {
    const turn = this.#live.get(runId)
    if (!turn) return
    for (const ask of turn.asks) this.#refuse(turn.worker, ask)
    turn.asks.clear()
    turn.reject(letGo())
    if (turn.worker === this.#worker) this.#askForLife(turn.worker)
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#forgetThread()
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

  /** One sign of life is asked for at a time; a thread that owes one too long is ended, with whatever runs in it. */
  #askForLife(worker: Worker): void {
    if (this.#pongDue) return
    this.#pongDue = this.#clock.after(PONG_MS_MAX, () => {
      this.#lost(worker, new Error(`it did not answer within ${formatDuration(PONG_MS_MAX)}`))
      void worker.terminate()
    })
    this.#post(worker, { type: 'ping' })
  }

  #forgetThread(): void {
    this.#worker = undefined
    this.#pongDue?.cancel()
    this.#pongDue = undefined
  }

  #receive(worker: Worker, frame: FromRunner): void {
    switch (frame.type) {
      case 'pong':
        if (worker !== this.#worker) return
        this.#pongDue?.cancel()
        this.#pongDue = undefined
        return
      case 'deltas':
        for (const { runId, text } of frame.deltas) this.#turnOf(worker, runId)?.link.delta(text)
        return
      case 'ask': {
        const turn = this.#turnOf(worker, frame.runId)
        if (turn) this.#ask(turn, frame)
        else this.#refuse(worker, frame.ask)
        return
      }
      case 'end': {
        const turn = this.#turnOf(worker, frame.runId)
        if (frame.outcome) turn?.resolve(frame.outcome)
        else turn?.reject(frame.error ? errorFromData(frame.error) : lostError(undefined))
      }
    }
  }

  /** The turn, while it lives in just this thread. */
  #turnOf(worker: Worker, runId: string): LiveTurn | undefined {
    const turn = this.#live.get(runId)
    return turn?.worker === worker ? turn : undefined
  }

  /** Each ask is answered once: by its link, or with STALE when its turn is let go meanwhile. */
  #ask({ worker, link, asks }: LiveTurn, { ask, body }: Extract<FromRunner, { type: 'ask' }>): void {
    const settle = (result: { value: unknown } | { error: ErrorData }) => {
      if (asks.delete(ask)) this.#post(worker, { type: 'answer', ask, ...result })
    }
    asks.add(ask)
    answer(link, body).then(
      value => settle({ value }),
      error => settle({ error: errorToData(error) }),
    )
  }

  #refuse(worker: Worker, ask: number): void {
    this.#post(worker, { type: 'answer', ask, error: errorToData(letGo()) })
  }

  #post(worker: Worker, frame: ToRunner): void {
    worker.postMessage(frame)
  }

  #lost(worker: Worker, error: unknown): void {
    if (this.#worker === worker) this.#forgetThread()
    for (const turn of this.#live.values()) if (turn.worker === worker) turn.reject(lostError(error))
  }
}

function answer(link: TurnLink, ask: Ask): Promise<unknown> {
  switch (ask.kind) {
    case 'attempt':
      return link.attempt(ask.model, ask.because)
    case 'message':
      return link.message(ask.message)
    case 'invoke':
      return link.invoke(ask.call)
  }
}

function letGo(): SluiceError {
  return new SluiceError('STALE', 'The turn was let go: it did not end when it was stopped.')
}

function lostError(cause: unknown): SluiceError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  return new SluiceError('UNAVAILABLE', `The thread that ran this turn was lost${reason}.`, { cause })
}
