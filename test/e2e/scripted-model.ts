// The scripted model server, with one script per session: a session's requests take its answers one by one, and a
// request that comes before its answer was scripted waits for it. A gate holds a turn for as long as a test wants.
import { type ModelAsk, type ModelReply, type ModelServer, startModelServer } from '../fakes/model-server.ts'
import { within } from './bound.ts'

export type Step = ModelReply | ((ask: ModelAsk) => ModelReply | Promise<ModelReply>)

export interface ScriptedModel {
  readonly server: ModelServer
  /** The next answers of a session, one for each request. */
  script(sessionKey: string, ...steps: Step[]): void
  /** What a session has asked so far. */
  asks(sessionKey: string): ModelAsk[]
  /** The config that makes this the gateway's model. */
  config(defaults?: object): { models: object; agents: object }
}

export async function startScriptedModel(): Promise<ScriptedModel> {
  const sessions = new Map<string, StepQueue>()
  const queueOf = (key: string): StepQueue => {
    const queue = sessions.get(key) ?? new StepQueue()
    sessions.set(key, queue)
    return queue
  }
  const server = await startModelServer(async ask => {
    const step = await queueOf(sessionOf(ask)).take()
    return typeof step === 'function' ? await step(ask) : step
  })
  return {
    server,
    script: (sessionKey, ...steps) => queueOf(sessionKey).add(steps),
    asks: sessionKey => server.asks.filter(ask => sessionOf(ask) === sessionKey),
    config: defaults => ({
      models: { providers: { fake: { baseUrl: server.baseUrl } } },
      agents: { defaults: { model: { primary: 'fake/m1' }, userTimezone: 'Europe/Berlin', ...defaults } },
    }),
  }
}

class StepQueue {
  readonly #steps: Step[] = []
  readonly #waiting: ((step: Step) => void)[] = []

  add(steps: readonly Step[]): void {
    for (const step of steps) {
      const waiting = this.#waiting.shift()
      if (waiting) waiting(step)
      else this.#steps.push(step)
    }
  }

  async take(): Promise<Step> {
    const step = this.#steps.shift()
    if (step) return step
    const { promise, resolve } = Promise.withResolvers<Step>()
    this.#waiting.push(resolve)
    return await promise
  }
}

/** The session that a request was made for, as the system prompt names it. */
function sessionOf(ask: ModelAsk): string {
  const system = ask.messages.find(message => message.role === 'system')?.content ?? ''
  return /^This session: (\S+)\. /m.exec(system)?.[1] ?? 'unknown'
}

/** Holds the request that meets it until it is opened. */
export class Gate {
  readonly #reached = Promise.withResolvers<ModelAsk>()
  readonly #opened = Promise.withResolvers<void>()
  #isOpen = false

  /** A step that waits here, then answers. */
  hold(step: Step): Step {
    return async ask => {
      this.#reached.resolve(ask)
      await this.#opened.promise
      return typeof step === 'function' ? await step(ask) : step
    }
  }

  /** Resolves with the request that is held. */
  get reached(): Promise<ModelAsk> {
    return within(this.#reached.promise, 'the request that the gate should hold')
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  open(): void {
    this.#isOpen = true
    this.#opened.resolve()
  }
}

export function call(name: string, args: object): Step {
  return { calls: [{ name, args }] }
}

/** A tool's result as the object it is. */
export function resultOf(ask: ModelAsk, index: number): Record<string, unknown> {
  const text = ask.results.at(index)
  if (text === undefined) throw new Error(`the model was shown ${ask.results.length} results, none at ${index}`)
  return JSON.parse(text)
}
