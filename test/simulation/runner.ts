// The runner of a simulation: production's `perform` over a link that is watched, with scripted models that think in
// virtual time, and with deaths. A dead runner asks no more; what it had asked before goes on in the gateway.
import { SluiceError } from '../../src/base/errors.ts'
import { pause } from '../../src/base/pause.ts'
import type { Clock } from '../../src/base/world.ts'
import type { Model, ModelEvent } from '../../src/providers/model.ts'
import type { Store } from '../../src/store/port.ts'
import { perform } from '../../src/turns/perform.ts'
import type { Runner, TurnLink, TurnOutcome, TurnTask } from '../../src/turns/runner.ts'
import { Prng } from './prng.ts'
import type { Scenario } from './scenario.ts'
import { nextAnswer } from './script.ts'
import type { Attempt, Sightings, TurnCall } from './sightings.ts'

export interface RunnerParts {
  readonly boot: number
  readonly scenario: Scenario
  readonly clock: Clock
  readonly store: Store
  readonly seen: Sightings
  /** Faults befall only while this answers true. */
  readonly stormy: () => boolean
  /** The gateway is gone: what its runner still does is seen by nobody. */
  readonly isDead: () => boolean
  /** The kind of a run's last journal entry on disk. */
  readonly lastEntry: (runId: string) => string | undefined
  /** The run was ended without its runner, after the grace. */
  readonly wasLetGo: (runId: string) => boolean
}

const PLACELESS = { place: 'none', placeWaitedMs: 0 } as const

const never = new Promise<never>(() => undefined)

export class SimulatedRunner implements Runner {
  readonly #parts: RunnerParts

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  abandon(): void {
    // There is no thread to be ended.
  }

  async run(task: TurnTask, link: TurnLink, signal: AbortSignal): Promise<TurnOutcome> {
    const { boot, seen, clock, store, scenario, isDead } = this.#parts
    const { runId } = task
    if (isDead()) return await never
    const sessionKey = store.read.run(runId)?.sessionKey ?? ''
    const isFirst = !seen.attempts.some(other => other.boot === boot && other.runId === runId)
    const attempt: Attempt = { boot, runId, sessionKey, startedMs: clock.now(), isFirst, calls: [], ...PLACELESS }
    const random = new Prng(`attempt ${scenario.seed} ${runId} ${seen.attempts.filter(a => a.runId === runId).length}`)
    seen.attempts.push(attempt)
    seen.counts.turns += 1
    seen.trace(`attempt ${runId}`)
    const death = Promise.withResolvers<never>()
    death.promise.catch(() => undefined)
    const die = () => {
      if (attempt.died || attempt.endedMs !== undefined) return
      attempt.died = true
      seen.counts.deaths += 1
      seen.trace(`death ${runId}`)
      death.reject(new SluiceError('UNAVAILABLE', 'The thread that ran this turn was lost.'))
    }
    const watched = new WatchedLink(this.#parts, { link, attempt, die, dieAt: this.#deathStep(random) })
    if (this.#parts.stormy() && random.chance(scenario.faults.runnerDeath / 2)) {
      clock.after(random.span(10, 2 * scenario.thinkMsMax), die)
    }
    try {
      const turn = perform({
        task,
        link: watched,
        signal,
        makeModel: () => this.#model(attempt),
        readText: () => undefined,
      })
      return await Promise.race([turn, death.promise])
    } finally {
      attempt.endedMs = clock.now()
    }
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }

  #deathStep(random: Prng): number {
    const dies = this.#parts.stormy() && random.chance(this.#parts.scenario.faults.runnerDeath / 2)
    return dies ? random.int(1, 12) : 0
  }

  #model(attempt: Attempt): Model {
    const parts = this.#parts
    return {
      ref: 'test/model',
      async *stream({ messages, signal }) {
        yield await answer(parts, attempt, { messages, signal })
      },
    }
  }
}

async function answer(
  parts: RunnerParts,
  attempt: Attempt,
  { messages, signal }: Pick<Parameters<Model['stream']>[0], 'messages' | 'signal'>,
): Promise<ModelEvent> {
  const { scenario, store, clock, seen } = parts
  const { runId, sessionKey } = attempt
  const step = store.read.runEntries(runId).filter(entry => entry.body.kind === 'message').length
  const random = new Prng(`model ${scenario.seed} ${runId} ${step}`)
  const { faults, thinkMsMax } = scenario
  expectLast(parts, runId, { kinds: ['attempt'], before: 'the model was asked' })
  const deaf = parts.stormy() && random.chance(faults.deafModel)
  await pause(clock, random.span(1, thinkMsMax) * (deaf ? 4 : 1), deaf ? undefined : signal)
  if (signal.aborted && !deaf) return { type: 'failed', kind: 'aborted', message: 'stopped' }
  if (parts.stormy() && random.chance(faults.modelFailure))
    return { type: 'failed', kind: 'unavailable', message: 'the model is down' }
  const around = {
    sessions: scenario.sessions,
    sessionKey,
    runIds: [...seen.runIds].slice(-12),
    jobIds: [...seen.jobs.keys()].slice(-6),
    taskSessions: [...seen.taskSessions].slice(-4),
    wide: scenario.world !== 'plain',
    nowMs: clock.now(),
  }
  return nextAnswer({ runId, step, messages, random, around })
}

/** Each step is on disk before the next one begins; the end of a turn that was let go may be in the same commit. */
function expectLast(parts: RunnerParts, runId: string, expected: { kinds: readonly string[]; before: string }): void {
  const { kinds, before } = expected
  const last = parts.lastEntry(runId)
  if (last !== undefined && kinds.includes(last)) return
  if (last === 'end' && parts.wasLetGo(runId)) return
  parts.seen.violate('durable', `${runId}: ${before}, and its journal ends with ${last}, not ${kinds.join(' or ')}`)
}

interface Watch {
  readonly link: TurnLink
  readonly attempt: Attempt
  readonly die: () => void
  /** The death comes with this ask: odd before it is made, even after it was answered. 0: none. */
  readonly dieAt: number
}

class WatchedLink implements TurnLink {
  readonly #parts: RunnerParts
  readonly #watch: Watch
  #asks = 0

  constructor(parts: RunnerParts, watch: Watch) {
    this.#parts = parts
    this.#watch = watch
  }

  attempt(model: string): ReturnType<TurnLink['attempt']> {
    return this.#ask(() => this.#attempt(model))
  }

  message(message: Parameters<TurnLink['message']>[0]): ReturnType<TurnLink['message']> {
    return this.#ask(() => {
      this.#watch.attempt.place = 'none'
      return this.#watch.link.message(message)
    })
  }

  invoke(call: Parameters<TurnLink['invoke']>[0]): ReturnType<TurnLink['invoke']> {
    return this.#ask(() => this.#invoke(call))
  }

  delta(text: string): void {
    if (!this.#watch.attempt.died) this.#watch.link.delta(text)
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    const { attempt, die, dieAt } = this.#watch
    this.#asks += 1
    const number = 2 * this.#asks
    if (dieAt === number - 1) die()
    if (attempt.died || this.#parts.isDead()) return await never
    const answered = await ask()
    if (dieAt === number) die()
    return attempt.died || this.#parts.isDead() ? await never : answered
  }

  async #attempt(model: string): ReturnType<TurnLink['attempt']> {
    const { attempt, link } = this.#watch
    const sinceMs = this.#parts.clock.now()
    attempt.place = 'wanted'
    try {
      const answer = await link.attempt(model)
      attempt.place = 'had'
      return answer
    } finally {
      attempt.placeWaitedMs += this.#parts.clock.now() - sinceMs
    }
  }

  async #invoke(call: Parameters<TurnLink['invoke']>[0]): ReturnType<TurnLink['invoke']> {
    const { clock, seen, boot, isDead } = this.#parts
    const { attempt, link } = this.#watch
    const { runId, sessionKey } = attempt
    const args = call.args as TurnCall['args']
    expectLast(this.#parts, runId, { kinds: ['message', 'result'], before: 'a call began' })
    const made: TurnCall = {
      boot,
      attempt,
      runId,
      sessionKey,
      id: call.id,
      name: call.name,
      args,
      startedMs: clock.now(),
    }
    attempt.calls.push(made)
    seen.turnCalls.push(made)
    seen.counts.calls += 1
    seen.trace(`call ${runId} ${call.id} ${call.name} ${JSON.stringify(args)}`)
    try {
      const result = await link.invoke(call)
      if (isDead()) return result
      if (!attempt.died) expectLast(this.#parts, runId, { kinds: ['result'], before: 'the model was told' })
      made.result = result
      seen.trace(`result ${runId} ${call.id} ${result.text}`)
      return result
    } finally {
      made.endedMs = clock.now()
    }
  }
}
