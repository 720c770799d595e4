// Performs a turn within what its model takes. Where its transcript is long, the turn first has the model summarise the
// oldest part, as a request of its own over the same runner: no tools, nothing shown, nothing waited for but that model.
// A summary that fails costs the turn nothing else: the oldest is then left out, and the log says so.
import type { ModelChoice } from '../providers/choice.ts'
import type { Entry, EntryBody } from '../store/rows.ts'
import {
  askedPlan,
  type CompactionPlan,
  clip,
  duePlan,
  planCompaction,
  SUMMARY_LENGTH_MAX,
  SUMMARY_TRIES_MAX,
  triesOf,
} from './compaction.ts'
import type { EngineParts } from './engine-parts.ts'
import type { LoopAnswer } from './loop.ts'
import { summaryPrompt } from './prompt.ts'
import type { TurnLink, TurnMessage, TurnOutcome, TurnTask } from './runner.ts'

/** `length`: characters of its context, made of `entries`. */
export interface Begun {
  readonly entries: readonly Entry[]
  readonly task: TurnTask
  readonly length: number
}

/** A turn as it is performed here; what it does reaches its journal under its fence. */
export interface CompactedTurn {
  readonly runId: string
  readonly sessionKey: string
  readonly choice: ModelChoice
  /** Characters of context that its model takes. */
  readonly lengthMax: number
  readonly signal: AbortSignal
  readonly log: EngineParts['log']
  /** The transcript as it is now. */
  entries(): readonly Entry[] | Promise<readonly Entry[]>
  /** The turn as it stands in the journal now. */
  begin(lengthMax: number): Promise<Begun>
  run(task: TurnTask, link: TurnLink): Promise<TurnOutcome>
  /** The turn's own end of its link. */
  readonly link: TurnLink
  /** Counts a request for a summary, in its place at the provider. */
  ask(model: string, because?: string): Promise<LoopAnswer>
  /** The request is over: its place is given back. */
  answered(): void
  append(entry: Extract<EntryBody, { kind: 'compaction' }>): Promise<unknown>
  /** Tells who watches that a summary begins or has ended. */
  tell(phase: 'start' | 'end'): void
}

/** What a person is told. */
function compactionKept({ summarised, kept }: { summarised: number; kept: number }): string {
  return `Summarised the oldest ${summarised} entries of this conversation; the newest ${kept} are kept word for word.`
}

const ABORTED: TurnOutcome = { state: 'aborted', reply: '' }

/** A turn, with a summary first where its context is long, and once more with a shorter one where its model says so. */
export async function performCompacted(turn: CompactedTurn, begun: Begun): Promise<TurnOutcome> {
  const { lengthMax } = turn
  let { task } = begun
  const plan = task.answered ? undefined : duePlan(begun.entries, turn.runId, lengthMax)
  if (plan && (await compact(turn, plan)) === undefined) ({ task } = await turn.begin(lengthMax))
  if (turn.signal.aborted) return ABORTED
  const outcome = await turn.run(task, turn.link)
  if (!outcome.tooLong || turn.signal.aborted) return outcome
  return await shorter(turn, outcome)
}

/** Its model takes less than was thought: half of what it was given, or nothing can be done. */
async function shorter(turn: CompactedTurn, outcome: TurnOutcome): Promise<TurnOutcome> {
  const { length, entries } = await turn.begin(turn.lengthMax)
  const half = Math.floor(length / 2)
  const keep = { length: half, entries: Number.POSITIVE_INFINITY }
  const plan = planCompaction(entries, turn.runId, { lengthMax: half, keep, gain: 0 })
  if (plan) await compact(turn, plan)
  if (turn.signal.aborted) return ABORTED
  const again = await turn.begin(half)
  return again.length < length ? await turn.run(again.task, turn.link) : outcome
}

const COMPACT = '/compact'

/** The text of an input that asks for a summary, with at most so many of the newest entries kept word for word. */
export function compactInput(entriesMax: number | undefined): string {
  return entriesMax === undefined ? COMPACT : `${COMPACT} ${entriesMax}`
}

/** A turn that was begun to summarise its session and for nothing else. */
export async function performCompaction(turn: CompactedTurn): Promise<TurnOutcome> {
  const entries = await turn.entries()
  const own = entries.flatMap(({ runId, body }) => (runId === turn.runId ? [body] : []))
  const done = own.find(body => body.kind === 'compaction')
  const words = own.find(body => body.kind === 'input')?.text.split(' ') ?? []
  const entriesMax = words[1] === undefined ? undefined : Number(words[1])
  // An earlier attempt wrote it; only the end was missing.
  if (done) return { state: 'ok', reply: compactionKept(done) }
  const plan = askedPlan(entries, turn.runId, { lengthMax: turn.lengthMax, entriesMax })
  if (!plan) return { state: 'ok', reply: 'There was nothing to summarise: the conversation is short.' }
  const error = await compact(turn, plan)
  if (turn.signal.aborted) return ABORTED
  return error === undefined ? { state: 'ok', reply: compactionKept(plan) } : { state: 'failed', reply: '', error }
}

/** Answers why there is no summary; undefined: it is in the journal. Throws what ends an attempt (L2, T3). */
async function compact(turn: CompactedTurn, plan: CompactionPlan): Promise<string | undefined> {
  const error = await summarise(turn, plan)
  if (error !== undefined && !turn.signal.aborted) {
    const { sessionKey, log } = turn
    log('warn', `the beginning of ${sessionKey} was not summarised; what is too long is left out`, { error })
  }
  return error
}

async function summarise(turn: CompactedTurn, plan: CompactionPlan): Promise<string | undefined> {
  if (turn.choice.kind === 'offline') return 'the offline model writes no summaries'
  if (triesOf(await turn.entries(), turn.runId) >= SUMMARY_TRIES_MAX)
    return `${SUMMARY_TRIES_MAX} requests of this turn for a summary did not end well`
  turn.tell('start')
  try {
    const said = await askForSummary(turn, plan)
    if (typeof said === 'string') return said
    const summary = clip(said.text.trim(), SUMMARY_LENGTH_MAX)
    if (summary === '') return 'the summary was empty'
    if (summary.length >= plan.length) return 'the summary was as long as what it stands for'
    const { keptFrom, summarised, kept } = plan
    const { model, usage } = said
    await turn.append({ kind: 'compaction', summary, keptFrom, summarised, kept, model, ...(usage && { usage }) })
    return undefined
  } finally {
    turn.tell('end')
  }
}

/** The offline model at a chain's end cannot do it. */
function summariser(choice: ModelChoice): ModelChoice {
  return choice.kind === 'chain' ? { ...choice, links: choice.links.filter(({ kind }) => kind !== 'offline') } : choice
}

/** The model's answer, or why there is none. */
async function askForSummary(turn: CompactedTurn, { material }: CompactionPlan): Promise<TurnMessage | string> {
  let said: TurnMessage | undefined
  const link: TurnLink = {
    attempt: (model, because) => turn.ask(model, because),
    message: async message => {
      said = message
      return { merged: [] }
    },
    invoke: async () => ({ text: 'There are no tools here.', isError: true }),
    delta: () => undefined,
  }
  const task: TurnTask = {
    runId: turn.runId,
    model: summariser(turn.choice),
    system: summaryPrompt(),
    zone: 'UTC',
    messages: [{ role: 'user', text: material }],
    pending: [],
    said: [],
    answered: false,
    tools: [],
    limits: { stepsMax: 1, identicalCallsMax: 1 },
  }
  const outcome = await turn.run(task, link).finally(() => turn.answered())
  if (outcome.state === 'ok' && said) return said
  return outcome.error ?? `it was ${outcome.state}`
}
