// The model of the chaos run: a server in the parent whose answer is a function of what it is asked, so that a turn that
// is resumed any number of times comes to the same end. `say k1` is answered `answer k1`; `effect k1` runs two commands
// with an effect first; `job k1` adds a job first. The next stream of a key can be cut in half and held.
import { type ModelAsk, type ModelReply, type ModelServer, startModelServer } from '../fakes/model-server.ts'

const REQUEST = /\b(say|effect|job) (k[\w-]+)/
/** An effect's command has lines of its own, so that one that runs twice is seen. */
export const EFFECTS = ['a', 'b'] as const

export const answerTo = (key: string) => `answer ${key}`

export interface EffectPlaces {
  readonly script: string
  readonly file: string
  readonly armed: string
}

/** A job whose instant is far away, as a turn adds it. */
export function farJob(name: string) {
  return {
    name,
    schedule: { kind: 'every', everyMs: 86_400_000 },
    payload: { kind: 'agentTurn', message: `say ${name}` },
    sessionTarget: 'isolated',
    wakeMode: 'now',
    enabled: true,
  } as const
}

export class ChaosModel {
  readonly server: ModelServer
  readonly #places: EffectPlaces
  readonly #held = new Set<string>()

  private constructor(server: ModelServer, places: EffectPlaces) {
    this.server = server
    this.#places = places
  }

  static async start(places: EffectPlaces): Promise<ChaosModel> {
    const model = new ChaosModel(await startModelServer(), places)
    model.server.answer(ask => model.#answer(ask))
    return model
  }

  /** The next answer to this key stays half, for ever. */
  hold(key: string): void {
    this.#held.add(key)
  }

  #answer(ask: ModelAsk): ModelReply {
    const [, verb, key = ''] = REQUEST.exec(ask.user) ?? []
    const text = answerTo(key)
    if (this.#held.delete(key)) return { text, chunks: 2, hold: Promise.withResolvers<void>().promise }
    if (verb === 'effect' && ask.results.length < EFFECTS.length)
      return { calls: EFFECTS.map(n => this.#effect(key, n)) }
    if (verb === 'job' && ask.results.length === 0) {
      return { calls: [{ name: 'cron', args: { action: 'add', job: farJob(key) } }] }
    }
    return { text }
  }

  #effect(key: string, name: string) {
    const { script, file, armed } = this.#places
    return { name: 'exec', args: { command: [script, file, `${key}:${name}`, armed] } }
  }
}
