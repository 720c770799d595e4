// A real gateway to set traps in, with one client and a model that is scripted per session. Every shape is tried with one
// turn at a time and with as many as there are by default; after each test nothing may be left that runs or waits.
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { textOf } from '../e2e/event-log.ts'
import { type GatewayProcess, Scope, type TestClient } from '../e2e/gateway-process.ts'
import { call, Gate, type ScriptedModel, type Step, startScriptedModel } from '../e2e/scripted-model.ts'

/** Of `agents.defaults.maxConcurrent`. */
const LIMIT_DEFAULT = 8

/** With every limit at 1: turns, jobs and tasks. */
const LIMITS = [
  {
    limit: 1,
    defaults: { maxConcurrent: 1, subagents: { maxConcurrent: 1 } },
    config: { cron: { maxConcurrentRuns: 1 } },
  },
  { limit: LIMIT_DEFAULT, defaults: {}, config: {} },
]

/** Most traps are set for turns behind turns. */
const FOLLOWUP = { messages: { queue: { mode: 'followup' } } }

export class House {
  readonly limit: number
  readonly #scope = new Scope()
  #model: ScriptedModel | undefined
  #gateway: GatewayProcess | undefined
  #client: TestClient | undefined

  constructor(limit: number) {
    this.limit = limit
  }

  async open(defaults: object, config: object): Promise<void> {
    this.#model = await startScriptedModel()
    const { server } = this.#model
    this.#scope.onEnd(() => server.close())
    const all = { ...FOLLOWUP, ...config, ...this.#model.config(defaults) }
    this.#gateway = await this.#scope.gateway({ config: all })
    this.#client = await this.#gateway.client()
  }

  close(): Promise<void> {
    return this.#scope.end()
  }

  /** Ends with the house. */
  get scope(): Scope {
    return this.#scope
  }
  get model(): ScriptedModel {
    return this.#model as ScriptedModel
  }
  get gateway(): GatewayProcess {
    return this.#gateway as GatewayProcess
  }
  get client(): TestClient {
    return this.#client as TestClient
  }

  /** After a start of the same gateway: the old connection is gone. */
  async again(): Promise<void> {
    await this.gateway.start()
    this.#client = await this.gateway.client()
  }

  /** After the gateway has restarted by itself: the same process, and the old connection is gone. */
  async restarted(): Promise<void> {
    await this.gateway.restarted()
    this.#client = await this.gateway.client()
  }

  chat(sessionKey: string, message: string, runId: string) {
    return this.client.call('chat.send', { sessionKey, message, idempotencyKey: runId })
  }

  /** The reply of a run, once it has ended well. */
  async reply(runId: string): Promise<string> {
    const end = await this.client.events.ended(runId)
    expect(end).toMatchObject({ state: 'final' })
    return textOf(end)
  }

  /** A turn that is held at the model until its gate is opened; it then does `then`. */
  async heldTurn(session: string, runId: string, then: readonly Step[] = [{ text: 'held' }]): Promise<Gate> {
    const gate = new Gate()
    const [first, ...others] = then
    this.model.script(`agent:main:${session}`, gate.hold(first as Step), ...others)
    await this.chat(session, 'begin', runId)
    await gate.reached
    return gate
  }

  async inputsOf(sessionKey: string): Promise<(string | undefined)[]> {
    const { messages } = await this.client.call('chat.history', { sessionKey })
    return messages.filter(({ role }) => role === 'user').map(({ content }) => content[0]?.text)
  }

  /** What the runs of a session that have not ended are up to, in their order. */
  async liveRuns(key: string): Promise<string[]> {
    return (await this.client.call('sessions.status', { key })).runs.map(({ status }) => status)
  }

  asksOf(session: string): number {
    return this.model.asks(`agent:main:${session}`).length
  }

  /** Resolves once the run is seen to wait: for its lane, or for another run. */
  async waits(runId: string, target: RegExp): Promise<void> {
    await this.client.events.until(`${runId} to wait for ${target}`, event => waitsOf(event, runId, target) === true)
  }

  /** Resolves once the run was seen to wait and is seen to wait no longer. */
  async waited(runId: string, target: RegExp): Promise<void> {
    let began = false
    await this.client.events.until(`${runId} to have waited for ${target}`, event => {
      const waits = waitsOf(event, runId, target)
      began ||= waits === true
      return began && waits === false
    })
  }

  /** That nothing runs, waits, or holds a slot. */
  async expectIdle(): Promise<void> {
    const { runs, waits } = await this.client.call('status', {})
    expect({ ...runs, waits }).toEqual({ running: 0, queued: 0, parked: 0, slots: this.limit, waits: [] })
  }

  get methods(): readonly string[] {
    return this.client.client.hello.features.methods
  }
}

/** Whether a run waits for such a target, by an event that says who waits; undefined for any other event. */
function waitsOf({ event, payload }: { event: string; payload: object }, runId: string, target: RegExp) {
  if (event !== 'waits') return undefined
  const { waits } = payload as { waits: readonly { waiter: string; target: string }[] }
  return waits.some(wait => wait.waiter === `run:${runId}` && target.test(wait.target))
}

/** Tries the shapes with room for one turn, and with the room there is by default. */
export function atEachLimit(tests: (house: House) => void, more: { config?: object; defaults?: object } = {}): void {
  describe.each(LIMITS)('with room for $limit turns', ({ limit, defaults, config }) => {
    const house = new House(limit)
    beforeAll(() => house.open({ ...defaults, ...more.defaults }, { ...config, ...more.config }))
    afterEach(() => house.expectIdle())
    afterAll(() => house.close())
    tests(house)
  })
}

export const cron = (args: object): Step => call('cron', args)

export function send(sessionKey: string, more: object = {}): Step {
  return call('sessions_send', { sessionKey, message: `to ${sessionKey}`, ...more })
}

/** Commands of our own command line, run one after the other by a turn. */
export function exec(...commands: readonly (readonly string[])[]): { calls: { name: string; args: object }[] } {
  return { calls: commands.map(words => ({ name: 'exec', args: { command: ['sluice', ...words] } })) }
}
