// One attempt of a run while it lives: its context from the journal, and the gateway's end of its link. Every answer it
// gives to the runner follows a commit under the attempt's fence (L2, T3).
import { dayOf } from '../base/days.ts'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import { parked, type Standing } from '../coordination/joins.ts'
import type { ModelChoice } from '../providers/choice.ts'
import { type ModelMessage, type ModelUsage, THINKING, type Thinking } from '../providers/model.ts'
import type { DurableEvent, WriteValue } from '../store/port.ts'
import type { EntryBody, EntryUsage, RunRow } from '../store/rows.ts'
import type { Toolbox } from '../tools/toolbox.ts'
import { askPerson } from './approvals.ts'
import { withContents } from './attachments.ts'
import { performCommand } from './command-run.ts'
import { type Begun, type CompactedTurn, performCompacted, performCompaction } from './compacting.ts'
import { buildContext, type ContextMessage, INTERRUPTED, inputMessage, lengthOf } from './context.ts'
import { type EngineParts, providerPool, RETRY_MS, RETRY_MS_MAX, type TurnSettings } from './engine-parts.ts'
import { type CallResult, type LoopAnswer, TURN_LIMITS, type TurnCall } from './loop.ts'
import { systemPrompt } from './prompt.ts'
import type { RunEvents } from './run-events.ts'
import type { TurnLink, TurnMessage, TurnOutcome, TurnTask } from './runner.ts'

/** Entries of a session that are read for a turn; long before there are so many, the oldest are summarised. */
const CONTEXT_ENTRIES_MAX = 500

export interface Attempt {
  readonly run: RunRow
  readonly events: RunEvents
  readonly standing: Standing
  /** These runs' messages are part of this turn now. */
  readonly merged: (runIds: readonly string[]) => void
}

/** A turn as its own calls stand in it. */
export interface Surroundings {
  readonly run: RunRow
  readonly standing: Standing
  /** The tools with which the turn began. */
  readonly toolbox: Toolbox
}

interface Appended {
  readonly events?: DurableEvent[]
  /** Messages that wait in the session follow the entries. */
  readonly merges?: boolean
}

export class LiveRun implements TurnLink {
  readonly #parts: EngineParts
  readonly #attempt: Attempt
  readonly #signal: AbortSignal
  readonly #settings: TurnSettings
  readonly #surroundings: Surroundings
  /** Ids of the calls that are under way. */
  readonly #open = new Set<string>()
  #provider: string | undefined
  #takes: readonly string[] = []

  constructor(parts: EngineParts, attempt: Attempt) {
    this.#parts = parts
    this.#attempt = attempt
    this.#signal = attempt.standing.deadline.signal
    // One turn has one set of rules: what is changed meanwhile is for the next.
    this.#settings = parts.settings()
    const { run, standing } = attempt
    this.#surroundings = { run, standing, toolbox: this.#settings.toolboxFor(run) }
  }

  /** What a process started by this very call may be, while the call is under way; the same object each time. */
  during(callId: string): Surroundings | undefined {
    return this.#open.has(callId) ? this.#surroundings : undefined
  }

  /** Whether all calls of the run so far may be made again; what did something outside may not be done twice. */
  mayBeTriedAgain(): boolean {
    const { run, toolbox } = this.#surroundings
    return this.#parts.store.read.toolsCalled(run.runId).every(name => toolbox.replayOf(name) === 'safe')
  }

  async perform(): Promise<TurnOutcome> {
    const { run } = this.#attempt
    const command = run.rules?.command
    if (command) {
      const entries = this.#parts.store.read.runEntries(run.runId)
      return await performCommand({ command, entries, link: this, signal: this.#signal })
    }
    let turn: CompactedTurn
    let begun: Begun | undefined
    try {
      turn = this.#compacted()
      if (run.source !== 'compact') begun = await turn.begin(turn.lengthMax)
    } catch (error) {
      // What read the transcript is gone, and another attempt has another.
      if (error instanceof SluiceError && error.code === 'UNAVAILABLE') throw error
      // An unknown model or the like: the turn's own failure, not the runner's.
      return { state: 'failed', reply: '', error: error instanceof Error ? error.message : String(error) }
    }
    return begun ? await performCompacted(turn, begun) : await performCompaction(turn)
  }

  /** A place at the provider is taken for the request that follows, and held until its message is there (W2). */
  async attempt(model: string, because?: string, { summary = false } = {}): Promise<LoopAnswer> {
    const { run, events, standing } = this.#attempt
    const { slot, deadline } = standing
    const refused = this.#settings.capReached(run, model)
    if (refused !== undefined) {
      this.#parts.log('warn', `turn ${run.runId} is paused`, { because: refused })
      return { refused, merged: [] }
    }
    if (this.#provider) slot.narrow(this.#provider)
    this.#provider = providerPool(model)
    deadline.pause()
    try {
      await slot.widen(this.#provider, this.#signal)
    } finally {
      deadline.run()
    }
    const entry = { kind: 'attempt', model, ...(summary && { summary: true as const }) } as const
    // What a person writes while a summary is made is for the turn itself.
    if (because === undefined) return await this.#append([entry], { merges: !summary })
    this.#parts.log('warn', `turn ${run.runId} goes on with ${model}`, { because })
    // What the model is asked stands already: whatever a person wrote since waits for the next step.
    return await this.#append([{ ...entry, because }], { events: events.switched(model, because) })
  }

  async message(message: TurnMessage): Promise<LoopAnswer> {
    this.#answered()
    this.#attempt.events.messageEnded()
    const calls = message.calls.map((call, ordinal) => ({ ordinal, name: call.name, args: call.args }))
    const { text, model } = message
    const usage = message.usage && this.#priced(model, message.usage)
    const cut = message.isCut && { isCut: message.isCut }
    const { ids, merged } = await this.#append(
      [{ kind: 'message', text, calls, model, ...(usage && { usage }), ...cut }],
      {
        // Between a call and its result there is no place for what a person writes, nor after an answer that broke off.
        merges: calls.length === 0 && !message.isCut,
      },
    )
    return { entry: ids[0] as number, merged }
  }

  #priced(model: string, usage: ModelUsage): EntryUsage {
    const costMicroUsd = this.#settings.costOf(model, usage)
    return { ...usage, ...(costMicroUsd !== undefined && { costMicroUsd }) }
  }

  async invoke(call: TurnCall): Promise<CallResult> {
    this.#attempt.events.toolStarted(call)
    this.#open.add(call.id)
    const result = await this.#run(call).finally(() => this.#open.delete(call.id))
    await this.#append([{ kind: 'result', message: call.entry, ordinal: call.ordinal, name: call.name, ...result }], {
      events: this.#attempt.events.toolEnded(call, result),
    })
    return result
  }

  /** With the bytes of their files. */
  #shown(messages: readonly ContextMessage[]): Promise<ModelMessage[]> {
    const { readLarge } = this.#parts.store
    return withContents(messages, { read: blob => readLarge.blob(blob), takes: this.#takes })
  }

  #answered(): void {
    if (this.#provider) this.#attempt.standing.slot.narrow(this.#provider)
  }

  delta(text: string): void {
    this.#attempt.events.delta(text)
  }

  async #run(call: TurnCall): Promise<CallResult> {
    const { run, standing, toolbox } = this.#surroundings
    if (call.resumed && toolbox.replayOf(call.name) === 'never' && this.#mayHaveRun(call)) {
      return { text: INTERRUPTED, isError: true }
    }
    const name = { id: call.id, tool: call.name, resumed: call.resumed === true }
    return await toolbox.run(call, {
      ...this.#parts.reachFor(run, standing, name),
      sessionKey: run.sessionKey,
      agentId: run.agentId,
      zone: this.#settings.zone,
      signal: this.#signal,
      outside: wait => parked(standing, wait),
      approve: ask => askPerson(this.#parts, { run, standing, call: name }, ask),
    })
  }

  /** A call that still waited for a person's yes, or was told no, did nothing yet. */
  #mayHaveRun(call: TurnCall): boolean {
    const asked = this.#parts.store.read.approvalOfCall(this.#attempt.run.runId, call.id)
    return asked === undefined || asked.state === 'used'
  }

  async #append(entries: EntryBody[], more: Appended): Promise<{ ids: number[]; merged: ModelMessage[] }> {
    const { ids, merged } = await this.#written(entries, more)
    if (merged.length > 0) this.#attempt.merged(merged.map(({ runId }) => runId))
    try {
      const messages = merged.map(({ input }) => inputMessage(input, this.#parts.clock.now()))
      return { ids, merged: await this.#shown(messages) }
    } catch (error) {
      // The entries are there and are never written again: the next attempt reads them, and the files with them.
      throw lost(asSluiceError(error))
    }
  }

  /** A disk that refuses an entry holds the turn up; it is neither failed nor given up, and holds no slot meanwhile. */
  async #written(
    entries: EntryBody[],
    { events = [], merges = false }: Appended,
  ): Promise<WriteValue<'appendEntries'>> {
    const { run } = this.#attempt
    const { store, clock, log } = this.#parts
    const fence = { runId: run.runId, epoch: store.epoch, attempt: run.attempt }
    for (let delayMs = RETRY_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      try {
        const nowMs = clock.now()
        const usageDay = dayOf(nowMs, this.#settings.zone)
        return (await store.write.appendEntries({ fence, entries, merges, usageDay, nowMs, events })).value
      } catch (thrown) {
        const error = asSluiceError(thrown)
        const mayPass = error.code === 'STORE_FAILED' && error.outcome === 'not-started'
        // Whether it is there, the journal knows: the next attempt reads it and goes on from there.
        if (error.code === 'STORE_FAILED' && error.outcome === 'unknown') throw lost(error)
        if (!mayPass || this.#signal.aborted) throw error
        log('error', `turn ${run.runId} cannot write its journal; trying again`, { error: error.message })
      }
      await parked(this.#attempt.standing, () => pause(clock, delayMs, this.#signal))
    }
  }

  /** The turn as it is performed within what its model takes. */
  #compacted(): CompactedTurn {
    const { run, events } = this.#attempt
    const { store, runner, log } = this.#parts
    const { chooseModel, traitsOf } = this.#settings
    const choice = chooseModel(run.model ?? store.read.session(run.sessionKey)?.settings.model, run)
    const { lengthMax, takes } = traitsOf(choice.ref)
    this.#takes = takes
    const entries = () => store.readLarge.transcript(run.sessionId, CONTEXT_ENTRIES_MAX)
    return {
      ...{ runId: run.runId, sessionKey: run.sessionKey, choice, lengthMax, signal: this.#signal, log, entries },
      begin: async room => {
        const all = await entries()
        const context = buildContext(all, run.runId, room)
        const messages = await this.#shown(context.messages)
        const length = context.messages.reduce((sum, message) => sum + lengthOf(message), 0)
        return { task: this.#task(choice, { ...context, messages }), length, entries: all }
      },
      run: (task, link) => runner.run(task, link, this.#signal),
      link: this,
      ask: (model, because) => this.attempt(model, because, { summary: true }),
      answered: () => this.#answered(),
      append: ({ usage, ...entry }) => {
        const used = usage && this.#priced(entry.model, usage)
        return this.#append([{ ...entry, ...(used && { usage: used }) }], {})
      },
      tell: phase => events.compacting(phase),
    }
  }

  #task(model: ModelChoice, context: Pick<TurnTask, 'messages' | 'pending' | 'said' | 'answered'>): TurnTask {
    const { run } = this.#attempt
    const { store } = this.#parts
    const { zone } = this.#settings
    const persona = this.#settings.personaOf(run.agentId)
    const job = run.jobId === undefined ? undefined : store.read.job(run.jobId)?.job
    return {
      runId: run.runId,
      model,
      system: systemPrompt({
        persona,
        sessionKey: run.sessionKey,
        zone,
        jobName: job?.name,
        isChat: store.read.route(run.sessionKey) !== undefined,
        isTask: run.source === 'spawn',
        extra: run.extraPrompt,
      }),
      zone,
      promptFiles: { folder: persona.folder, lengthMax: persona.lengthMax },
      ...context,
      tools: this.#surroundings.toolbox.descriptions,
      ...thinkingOf(run),
      limits: TURN_LIMITS,
    }
  }
}

/** A word that no model knows says nothing; whoever made the job was told so. */
function thinkingOf({ rules }: RunRow): { thinking?: Thinking } {
  const thinking = THINKING.find(word => word === rules?.thinking)
  return thinking === undefined ? {} : { thinking }
}

function lost(cause: SluiceError): SluiceError {
  return new SluiceError('UNAVAILABLE', `How far the turn came is in its journal alone: ${cause.message}`, { cause })
}
