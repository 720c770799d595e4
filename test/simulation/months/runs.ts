// The models that the jobs of a seed ask: how long each takes and how it ends is drawn. What they were asked is counted
// here, outside the store: no instant has two runs, no job two at once, and no run is tried again that may not be.
import { HOUR, MINUTE, SECOND } from '../../../src/base/durations.ts'
import { pause } from '../../../src/base/pause.ts'
import type { Clock } from '../../../src/base/world.ts'
import type { Model, ModelEvent } from '../../../src/providers/model.ts'
import { perform } from '../../../src/turns/perform.ts'
import type { Runner, TurnLink, TurnOutcome, TurnTask } from '../../../src/turns/runner.ts'
import { Prng } from '../prng.ts'
import { type JobBook, type LedgerRow, words } from './books.ts'
import { TOKENS } from './drawn-work.ts'
import { Machine, type RunsWorld } from './machine.ts'
import { Used } from './used.ts'

type End = 'ok' | 'transient' | 'permanent' | 'hung' | 'called'

interface Try {
  readonly life: number
  readonly beganStep: number
  end?: { readonly how: End; readonly step: number; readonly wallMs: number }
}

interface Effect {
  readonly jobId: string
  readonly occurrence: string
  readonly tries: Try[]
  /** The step in which it failed after a call that may not be made twice. */
  calledStep?: number
}

const MAIN_SESSION = 'agent:main:main'
const never = new Promise<never>(() => undefined)

/** All that models were ever asked for jobs, over all lives of the gateway. */
export class Effects {
  readonly #world: RunsWorld
  readonly #effects = new Map<string, Effect>()
  /** Of each instant the run that carried it out. */
  readonly #instants = new Map<string, string>()
  readonly #used = new Used()
  readonly machine: Machine
  /** What is asked now, by run. */
  readonly active = new Map<string, string>()
  count = 0

  constructor(world: RunsWorld) {
    this.#world = world
    this.machine = new Machine(world)
  }

  /** The life in which they were asked is over, and with its last step what nobody wrote down. */
  forget(step: number): void {
    this.active.clear()
    this.#used.forget(step)
    this.machine.forget(step)
    for (const { tries } of this.#effects.values()) {
      const last = tries.at(-1)
      if (last?.end?.step === step) delete last.end
    }
    for (const effect of this.#effects.values()) if (effect.calledStep === step) delete effect.calledStep
  }

  /** It asks on after its call, and is told that the provider is down. */
  failAfterCall(runId: string): void {
    const effect = this.#effects.get(runId)
    if (!effect) return
    if (effect.calledStep !== undefined)
      this.#world.violate('retry', `${runId} was tried again after a call that may not be made twice`)
    effect.calledStep = this.#world.step()
  }

  begin(runId: string, life: number): { ends: (how: End) => void; how: End; takesMs: number } {
    const { violate, runOf, step, wallMs } = this.#world
    const { jobId = '', occurrence = '', sessionKey = '' } = runOf(runId) ?? {}
    const book = this.#world.book(jobId)
    const instant = `${jobId} ${occurrence}`
    const effect = this.#effects.get(runId) ?? { jobId, occurrence, tries: [] }
    this.#effects.set(runId, effect)
    const other = this.#instants.get(instant) ?? runId
    if (other !== runId) violate('L3', `${instant} was fired twice: by ${other} and by ${runId}`)
    this.#instants.set(instant, runId)
    const apart = book?.policy.overlap === 'allow'
    const beside = [...this.active].find(([, of]) => of === jobId)
    if (beside && !apart) violate('overlap', `${runId} of ${jobId} began while ${beside[0]} ran`)
    this.#judgeTry(runId, effect)
    this.#judgeSession(book, { runId, sessionKey })
    this.machine.judgeAllowed(book, occurrence)
    const one: Try = { life, beganStep: step() }
    effect.tries.push(one)
    this.active.set(runId, jobId)
    this.count += 1
    return {
      ...this.#draw(`${runId} ${effect.tries.length}`),
      ends: how => {
        one.end = { how, step: step(), wallMs: wallMs() }
        this.active.delete(runId)
      },
    }
  }

  /** It answers, and what that used is written down with it. */
  answers(runId: string): { usage: { inputTokens: number; outputTokens: number } } {
    const { runOf, step, wallMs, seed } = this.#world
    const random = new Prng(`tokens ${seed} ${runId}`)
    const tokens = random.int(TOKENS.min, TOKENS.max)
    this.#used.add({ jobId: runOf(runId)?.jobId ?? '', runId, tokens, step: step(), wallMs: wallMs() })
    return { usage: { inputTokens: tokens - 10, outputTokens: 10 } }
  }

  /** No request beyond the budget of its job, also in the middle of a run. */
  judgeBudget(runId: string): void {
    const { runOf, book, violate, wallMs } = this.#world
    const job = book(runOf(runId)?.jobId ?? '')
    const beyond = job && this.#used.beyond(job, runId, wallMs())
    if (beyond) violate('budget', beyond)
  }

  /** Whether the row says what its run did. */
  judgeRow(book: JobBook, row: LedgerRow): void {
    const { violate } = this.#world
    this.machine.judgeRow(book, row)
    const early = this.#used.pausedEarly(book, row)
    if (early) violate('budget', early)
    const how = this.#effects.get(row.run_id ?? '')?.tries.at(-1)?.end?.how
    if (row.state === 'ok' && how !== undefined && how !== 'ok')
      violate('end', `${words(row)} and its model was ${how}`)
  }

  /** Events are turns of the main session, one at a time; whatever has a session of its own is not among them. */
  #judgeSession(book: JobBook | undefined, { runId, sessionKey }: { runId: string; sessionKey: string }): void {
    if (!book) return
    const isEvent = book.work.kind === 'systemEvent'
    const { violate } = this.#world
    if (isEvent !== (sessionKey === MAIN_SESSION)) violate('lane', `${runId} (${book.work.kind}) is in ${sessionKey}`)
    const beside = [...this.active].find(([, jobId]) => this.#world.book(jobId)?.work.kind === 'systemEvent')
    if (isEvent && beside) violate('lane', `${runId} began while ${beside[0]} had the main session`)
  }

  /** Whether it may be tried once more, by what became of the tries before. */
  #judgeTry(runId: string, { jobId, tries }: Effect): void {
    const { violate, book, wallMs } = this.#world
    const job = book(jobId)
    const ends = tries.flatMap(({ end }) => end ?? [])
    const last = tries.at(-1)?.end
    if (!job || !last) return
    const { max, backoffMs } = job.policy.retry
    const failures = ends.filter(({ how }) => how === 'transient').length
    const final = ends.find(({ how }) => how !== 'transient')
    if (final) violate('retry', `${runId} of ${jobId} was tried again after it had ended: ${final.how}`)
    if (failures > max) violate('retry', `${runId} of ${jobId} failed ${failures} times and is tried again, not ${max}`)
    const backoff = backoffMs[Math.min(failures - 1, backoffMs.length - 1)] ?? 0
    if (wallMs() - last.wallMs < backoff) violate('retry', `${runId} of ${jobId} was tried again before its pause`)
    if (!job.on || job.removed) violate('retry', `${runId} of ${jobId} was tried again, and its job is off or gone`)
  }

  #draw(name: string): { how: End; takesMs: number } {
    if (!this.#world.stormy()) return { how: 'ok', takesMs: MINUTE }
    const random = new Prng(`run ${this.#world.seed} ${name}`)
    const how = random.weighted<End>({ ok: 10, transient: 4, permanent: 2, hung: 0.5, called: 0.7 })
    return { how, takesMs: random.chance(0.75) ? random.span(SECOND, 5 * MINUTE) : random.span(5 * MINUTE, 26 * HOUR) }
  }
}

/** The runner of one life. What it still does after that life is seen by nobody. */
export class DrawnRunner implements Runner {
  readonly #parts: { life: number; clock: Clock; effects: Effects; isDead: () => boolean }

  constructor(parts: { life: number; clock: Clock; effects: Effects; isDead: () => boolean }) {
    this.#parts = parts
  }

  abandon(): void {
    // There is no thread to be ended.
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }

  run(task: TurnTask, link: TurnLink, signal: AbortSignal): Promise<TurnOutcome> {
    const { isDead } = this.#parts
    if (isDead()) return never
    const { runId } = task
    const answer = (request: Parameters<Model['stream']>[0]) => this.#answer(runId, request)
    const model: Model = {
      ref: 'test/model',
      async *stream(request) {
        yield await answer(request)
      },
    }
    return perform({ task, link, signal, makeModel: () => model, readText: () => undefined })
  }

  async #answer(runId: string, { messages, signal }: Parameters<Model['stream']>[0]): Promise<ModelEvent> {
    const { life, clock, effects, isDead } = this.#parts
    effects.judgeBudget(runId)
    // The second half of an answer that called something is not another try.
    const isAfterCall = messages.some(({ role }) => role === 'tool')
    if (isAfterCall) {
      effects.failAfterCall(runId)
      return { type: 'failed', kind: 'unavailable', message: 'down after a call' }
    }
    const { how, takesMs, ends } = effects.begin(runId, life)
    await pause(clock, how === 'hung' ? 100 * HOUR : takesMs, signal)
    if (isDead()) return await never
    ends(signal.aborted ? 'hung' : how)
    if (signal.aborted) return { type: 'failed', kind: 'aborted', message: 'stopped' }
    switch (how) {
      case 'transient':
        return { type: 'failed', kind: 'unavailable', message: 'down' }
      case 'permanent':
        return { type: 'failed', kind: 'not-found', message: 'no such model' }
      case 'called':
        return {
          type: 'done',
          text: '',
          calls: [{ id: 'c', name: 'exec', args: { command: 'true' } }],
          ...effects.answers(runId),
        }
      default:
        return { type: 'done', text: 'done', calls: [], ...effects.answers(runId) }
    }
  }
}
