// A chain of models as one: the next is asked when the one before it fails before its first word, and each switch is
// told. After a word was shown nothing is switched. A model that failed is passed over for a while, so that not every
// turn pays for finding out again; the last one is always asked.
import { MINUTE, SECOND } from '../base/durations.ts'
import type { Clock } from '../base/world.ts'
import { OFFLINE_REF } from './choice.ts'
import {
  type Model,
  type ModelEvent,
  type ModelFailure,
  type ModelFailureKind,
  type ModelRequest,
  PASSING,
} from './model.ts'

/** After the first failure; doubled with each further one in a row. */
const REST_MS = 30 * SECOND
const REST_MS_MAX = 5 * MINUTE

/** Another model may do better. A refused request, or an aborted one, is the same everywhere. */
const SWITCHES: ReadonlySet<ModelFailureKind> = new Set([...(['auth', 'not-found', 'garbled'] as const), ...PASSING])
/** The provider is down, or as good as: not what its owner has to put right. */
const DOWN = PASSING

interface Rest {
  readonly untilMs: number
  readonly failures: number
  readonly because: ModelFailure
}

/** What is known of models that failed lately, by ref; one for all turns of a runner. */
export class Rests {
  readonly #clock: Clock
  readonly #rests = new Map<string, Rest>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The failure for which the model rests now, if it does. */
  of(ref: string): ModelFailure | undefined {
    const rest = this.#rests.get(ref)
    return rest && rest.untilMs > this.#clock.monotonic() ? rest.because : undefined
  }

  failed(ref: string, because: ModelFailure): void {
    if (!DOWN.has(because.kind)) return
    const failures = (this.#rests.get(ref)?.failures ?? 0) + 1
    const restMs = Math.min(Math.max(REST_MS * 2 ** (failures - 1), because.retryAfterMs ?? 0), REST_MS_MAX)
    this.#rests.set(ref, { untilMs: this.#clock.monotonic() + restMs, failures, because })
  }

  answered(ref: string): void {
    this.#rests.delete(ref)
  }
}

/** `links` holds one at least. The built-in model, as a link, answers only for providers that are down. */
export function withFallbacks(links: readonly Model[], rests: Rests): Model {
  const first = links[0] as Model
  return { ref: first.ref, stream: request => streamChain(links, rests, request) }
}

async function* streamChain(links: readonly Model[], rests: Rests, request: ModelRequest): AsyncGenerator<ModelEvent> {
  let reason: ModelFailure | undefined
  for (const [index, link] of links.entries()) {
    const later = links.slice(index + 1)
    const resting = rests.of(link.ref)
    if (resting && isPassedOver(resting, later)) {
      reason = resting
      continue
    }
    if (reason) yield { type: 'switched', model: link.ref, because: reason.message }
    const failed: ModelFailure | undefined = yield* streamLink(link, { rests, request, reason })
    if (!failed) return
    if (!goesOn(failed, later[0])) {
      yield { ...failed, model: link.ref }
      return
    }
    reason = failed
  }
}

/** For the built-in model, which can do so much less, only where asking once more would cost a time-out once more. */
function isPassedOver({ kind }: ModelFailure, later: readonly Model[]): boolean {
  return later.some(({ ref }) => ref !== OFFLINE_REF || kind === 'timed-out')
}

function goesOn({ kind }: ModelFailure, next: Model | undefined): boolean {
  if (!next) return false
  return next.ref === OFFLINE_REF ? DOWN.has(kind) : SWITCHES.has(kind)
}

interface Asked {
  readonly rests: Rests
  readonly request: ModelRequest
  /** Why it is asked instead of another. */
  readonly reason: ModelFailure | undefined
}

/** Hands one model's answer on; answers its failure instead of telling it where nothing was shown yet. */
async function* streamLink(link: Model, asked: Asked): AsyncGenerator<ModelEvent, ModelFailure | undefined> {
  const { rests, request, reason } = asked
  let shown = false
  // A person has to know whom they talk to now, and why.
  const preface = reason && link.ref === OFFLINE_REF ? prefaceOf(reason) : ''
  // Each layer costs something for each word.
  const events = preface === '' ? link.stream(request) : prefaced(link.stream(request), preface)
  for await (const event of events) {
    if (event.type === 'failed') rests.failed(link.ref, event)
    if (event.type === 'failed' && !shown) return event
    if (event.type === 'done') rests.answered(link.ref)
    shown ||= event.type === 'delta'
    yield event.type === 'done' || event.type === 'failed' ? { ...event, model: link.ref } : event
  }
  return undefined
}

/** Puts words before an answer's text, where it has any. */
async function* prefaced(events: AsyncIterable<ModelEvent>, preface: string): AsyncGenerator<ModelEvent> {
  let first = true
  for await (const event of events) {
    if (event.type === 'delta' && first) {
      first = false
      yield { type: 'delta', text: preface + event.text }
    } else if (event.type === 'done' && event.text !== '') yield { ...event, text: preface + event.text }
    else yield event
  }
}

function prefaceOf(reason: ModelFailure): string {
  return `${reason.message} Until then the built-in offline model answers:\n\n`
}
