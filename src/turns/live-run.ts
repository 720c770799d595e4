// One attempt of a run while it lives: its context from the journal, and the gateway's end of its link. Every answer it
// gives to the runner follows a commit under the attempt's fence (L2, T3).
import { asSluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Standing } from '../coordination/joins.ts'
import type { DurableEvent } from '../store/port.ts'
import type { EntryBody, RunRow } from '../store/rows.ts'
import { buildContext, INTERRUPTED } from './context.ts'
import { type EngineParts, RETRY_MS, RETRY_MS_MAX } from './engine-parts.ts'
import { type CallResult, TURN_LIMITS, type TurnCall } from './loop.ts'
import { systemPrompt } from './prompt.ts'
import type { RunEvents } from './run-events.ts'
import type { TurnLink, TurnMessage, TurnOutcome, TurnTask } from './runner.ts'

/** Entries of a session that are read for a turn; what is older is left to the summary of a later version. */
const CONTEXT_ENTRIES_MAX = 500

export interface Attempt {
  readonly run: RunRow
  readonly events: RunEvents
  readonly standing: Standing
}

export class LiveRun implements TurnLink {
  readonly #parts: EngineParts
  readonly #attempt: Attempt
  readonly #signal: AbortSignal

  constructor(parts: EngineParts, attempt: Attempt) {
    this.#parts = parts
    this.#attempt = attempt
    this.#signal = attempt.standing.deadline.signal
  }

  async perform(): Promise<TurnOutcome> {
    let task: TurnTask
    try {
      task = this.#task()
    } catch (error) {
      // An unknown model or the like: the turn's own failure, not the runner's.
      return { state: 'failed', reply: '', error: error instanceof Error ? error.message : String(error) }
    }
    return await this.#parts.runner.run(task, this, this.#signal)
  }

  async attempt(model: string): Promise<void> {
    await this.#append([{ kind: 'attempt', model }], [])
  }

  async message(message: TurnMessage): Promise<number> {
    this.#attempt.events.messageEnded()
    const calls = message.calls.map((call, ordinal) => ({ ordinal, name: call.name, args: call.args }))
    const [entry] = await this.#append(
      [
        {
          kind: 'message',
          text: message.text,
          calls,
          model: message.model,
          ...(message.usage && { usage: message.usage }),
        },
      ],
      [],
    )
    return entry as number
  }

  async invoke(call: TurnCall): Promise<CallResult> {
    this.#attempt.events.toolStarted(call)
    const result = await this.#run(call)
    await this.#append(
      [{ kind: 'result', message: call.entry, ordinal: call.ordinal, name: call.name, ...result }],
      this.#attempt.events.toolEnded(call, result),
    )
    return result
  }

  delta(text: string): void {
    this.#attempt.events.delta(text)
  }

  async #run(call: TurnCall): Promise<CallResult> {
    const { run, standing } = this.#attempt
    if (call.resumed && this.#parts.toolbox.replayOf(call.name) === 'never') return { text: INTERRUPTED, isError: true }
    return await this.#parts.toolbox.run(call, {
      call: this.#parts.callerFor(run, standing, {
        key: call.id,
        tool: call.name,
        resumed: call.resumed === true,
      }),
      sessionKey: run.sessionKey,
      agentId: run.agentId,
      zone: this.#parts.zone,
      signal: this.#signal,
    })
  }

  /** A disk that refuses an entry holds the turn up; it is neither failed nor given up, and holds no slot meanwhile. */
  async #append(entries: EntryBody[], events: DurableEvent[]): Promise<number[]> {
    const { run } = this.#attempt
    const { store, clock, log } = this.#parts
    const fence = { runId: run.runId, epoch: store.epoch, attempt: run.attempt }
    for (let delayMs = RETRY_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      try {
        return (await store.write.appendEntries({ fence, entries, nowMs: clock.now(), events })).value
      } catch (thrown) {
        const error = asSluiceError(thrown)
        const mayPass = error.code === 'STORE_FAILED' && error.outcome === 'not-started'
        if (!mayPass || this.#signal.aborted) throw error
        log('error', `turn ${run.runId} cannot write its journal; trying again`, { error: error.message })
      }
      await this.#standAside(delayMs)
    }
  }

  async #standAside(delayMs: number): Promise<void> {
    const { slot, deadline } = this.#attempt.standing
    slot.park()
    deadline.pause()
    await pause(this.#parts.clock, delayMs, this.#signal)
    await slot.resume(this.#signal)
    deadline.run()
  }

  #task(): TurnTask {
    const { run } = this.#attempt
    const { store, clock, zone, toolbox } = this.#parts
    const context = buildContext(store.read.transcript(run.sessionId, CONTEXT_ENTRIES_MAX), run.runId)
    const job = run.jobId === undefined ? undefined : store.read.job(run.jobId)?.job
    return {
      runId: run.runId,
      model: this.#parts.chooseModel(run.model),
      system: systemPrompt({
        sessionKey: run.sessionKey,
        zone,
        nowMs: clock.now(),
        jobName: job?.name,
        extra: run.extraPrompt,
      }),
      ...context,
      tools: toolbox.descriptions,
      limits: TURN_LIMITS,
    }
  }
}
