// The model of the chaos run: a server in the parent whose answer is a function of what it is asked, so that a turn that
// is resumed any number of times comes to the same end. `say k1` is answered `answer k1`; `effect k1` runs two commands
// with an effect first; `job k1` adds a job first. Whatever the transcript has no answer to is answered, each once, in
// one text; so a message that merged into another's turn is too. The next stream of a key can be cut in half and held.
import { type ModelAsk, type ModelReply, type ModelServer, startModelServer } from '../fakes/model-server.ts'

const REQUEST = /\b(say|effect|job) (k[\w-]+)/g
/** An effect's command has lines of its own, so that one that runs twice is seen. */
export const EFFECTS = ['a', 'b'] as const

export const answerTo = (key: string) => `answer ${key}`
const BETWEEN_ANSWERS = '; '

/** The answers that a reply is made of; a turn's texts are joined by an empty line. */
export function answersIn(reply: string): string[] {
  return reply.split('\n\n').flatMap(text => text.split(BETWEEN_ANSWERS))
}

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

  #answer({ messages }: ModelAsk): ModelReply {
    const texts = (role: 'user' | 'assistant') =>
      messages.filter(message => message.role === role).map(({ content }) => textOf(content))
    const answered = new Set(texts('assistant').flatMap(answersIn))
    const asked = texts('user').flatMap(text => [...text.matchAll(REQUEST)])
    const open = asked.filter(([, , key = '']) => !answered.has(answerTo(key)))
    const made = messages.flatMap(message => message.tool_calls ?? []).map(call => call.function.arguments)
    for (const [, verb, key = ''] of open) {
      if (made.some(args => args.includes(`"${key}"`) || args.includes(`"${key}:`))) continue
      if (verb === 'effect') return { calls: EFFECTS.map(name => this.#effect(key, name)) }
      if (verb === 'job') return { calls: [{ name: 'cron', args: { action: 'add', job: farJob(key) } }] }
    }
    const keys = open.map(([, , key = '']) => key)
    const text = keys.map(answerTo).join(BETWEEN_ANSWERS) || 'there is nothing to answer'
    const isHeld = keys.filter(key => this.#held.delete(key)).length > 0
    return isHeld ? { text, chunks: 2, hold: Promise.withResolvers<void>().promise } : { text }
  }

  #effect(key: string, name: string) {
    const { script, file, armed } = this.#places
    return { name: 'exec', args: { command: [script, file, `${key}:${name}`, armed] } }
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.map(part => (part as { text?: string }).text ?? '').join('') : ''
}
