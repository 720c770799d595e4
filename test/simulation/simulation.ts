// One seed, from its first action until everything has come to rest. The order of things follows from the seed alone: a
// step is one timer and all that it sets off; then the checkers look, and a gateway that crashed is started again.
import { rmSync } from 'node:fs'
import { z } from 'zod'
import { HOUR, SECOND } from '../../src/base/durations.ts'
import type { WaitGraph } from '../../src/coordination/wait-graph.ts'
import { tool } from '../../src/tools/tool.ts'
import { Toolbox } from '../../src/tools/toolbox.ts'
import { audit } from './audit.ts'
import { Boot, scratchFolder } from './boot.ts'
import { Chats } from './chats.ts'
import { ask } from './disk.ts'
import { People } from './people.ts'
import type { Planted } from './planting.ts'
import { drawScenario, REST_MS, type Scenario, type World } from './scenario.ts'
import { liveRuns } from './shadow.ts'
import { type Counts, Sightings, type Violation } from './sightings.ts'
import { START_MS, settled, VirtualTime } from './virtual-time.ts'
import { Watch, watchRefusals } from './watch.ts'

export interface SimulationOptions extends Planted {
  /** Told each line of what happens. */
  readonly listen?: (line: string) => void
  /** A world in which less may happen than the seed says. */
  readonly world?: World
}

export interface Outcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly hash: string
  readonly counts: Counts
  readonly virtualMs: number
}

/** Steps in which no turn may bring the world to rest: far more than any seed needs. */
const STEPS_MAX = 60_000
const UNSENT = "SELECT 1 FROM sends WHERE state IN ('queued', 'sending') LIMIT 1"
const LOOK_EVERY_MS = 20 * SECOND

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const simulation = new Simulation(drawScenario(seed, options.world), options)
  const undo = [options.plant?.(), plantWaitingTools(), watchRefusals((graph, edge) => simulation.refused(graph, edge))]
  try {
    await simulation.run()
  } finally {
    for (const one of undo.reverse()) one?.()
    await simulation.clear()
  }
  return simulation.outcome()
}

class Simulation {
  readonly #scenario: Scenario
  readonly #options: SimulationOptions
  readonly #time = new VirtualTime()
  readonly #seen: Sightings
  readonly #people: People
  readonly #watch: Watch
  readonly #chats: Chats
  readonly #folder = scratchFolder()
  readonly #graphs = new WeakMap<WaitGraph, number>()
  #boot!: Boot
  #boots = 0
  #uuids = 0
  #steps = 0
  #stormy = true
  readonly #zombies: Boot[] = []

  constructor(scenario: Scenario, options: SimulationOptions) {
    this.#scenario = scenario
    this.#options = options
    this.#seen = new Sightings(this.#time, options.listen)
    const parts = { scenario, time: this.#time, seen: this.#seen, boot: () => this.#boot }
    this.#chats = new Chats({ ...parts, stormy: () => this.#stormy })
    this.#people = new People({ ...parts, chats: this.#chats })
    this.#watch = new Watch(parts)
  }

  async run(): Promise<void> {
    await this.#start(this.#folder)
    for (const action of this.#scenario.actions) {
      if (!(await this.#until(START_MS + action.atMs))) return
      if (action.kind === 'crash') this.#boot.crash()
      else if (action.kind === 'restart') await this.#restart()
      else this.#people.act(action)
      if (!(await this.#between())) return
    }
    this.#stormy = false
    if (!(await this.#rest())) return
    audit(this.#boot, { scenario: this.#scenario, seen: this.#seen, chats: this.#chats })
  }

  refused(graph: WaitGraph, edge: { waiter: string; target: string }): void {
    if (this.#graphs.get(graph) === this.#boot.number) this.#watch.refused(edge)
  }

  outcome(): Outcome {
    const { violations, counts } = this.#seen
    const virtualMs = this.#time.nowMs - START_MS
    const { seed } = this.#scenario
    return { seed, violations, hash: this.#seen.digest(), counts, virtualMs }
  }

  async clear(): Promise<void> {
    if (this.#boot && !this.#boot.dead) await this.#boot.close()
    for (const zombie of this.#zombies) await zombie.close()
    for (let number = 0; number <= this.#boots; number += 1)
      rmSync(`${this.#folder}${'+'.repeat(number)}`, { recursive: true, force: true })
  }

  async #start(folder: string): Promise<void> {
    this.#boots += 1
    const number = this.#boots
    this.#boot = await Boot.open({
      number,
      folder,
      scenario: this.#scenario,
      time: this.#time,
      seen: this.#seen,
      uuid: () => {
        this.#uuids += 1
        return `u${this.#uuids}`
      },
      stormy: () => this.#stormy,
      wrapStore: this.#options.wrapStore ?? (store => store),
      onEvent: (name, payload) => this.#people.hear(name, payload),
      channels: boot => this.#chats.channelsOf(boot),
      onFurnished: house => void this.#graphs.set(house.parts.graph, number),
    })
    await settled()
  }

  /** Until that instant; false when something was found. */
  #until(atMs: number): Promise<boolean> {
    return this.#time.advanceTo(atMs, () => this.#between())
  }

  async #between(): Promise<boolean> {
    this.#steps += 1
    await settled()
    while (this.#boot.dead) await this.#revive()
    this.#watch.look()
    if (this.#steps > STEPS_MAX) this.#seen.violate('rest', `still going on after ${STEPS_MAX} steps`)
    return this.#seen.violations.length === 0
  }

  async #restart(): Promise<void> {
    const stopped = this.#boot
    await stopped.stop()
    // A stop that a crash overtook ends nothing any more; only the kernel could.
    const isClean = stopped.image === undefined
    for (const run of this.#seen.commands)
      if (isClean && run.boot === stopped.number && run.endedMs === undefined)
        this.#seen.violate('process', `${run.line} of ${run.runId} outlives the gateway that was stopped`)
    await this.#start(stopped.image ?? stopped.folder)
    this.#afterStart()
  }

  /** A gateway that crashed is started on what its disk held at that instant. */
  async #revive(): Promise<void> {
    const dead = this.#boot
    this.#zombies.push(dead)
    await this.#start(dead.image as string)
    this.#afterStart()
  }

  #afterStart(): void {
    for (const request of this.#seen.requests)
      for (const call of request.calls) if (call.state === 'open' && call.boot < this.#boot.number) call.state = 'lost'
    this.#people.askAgain()
    this.#chats.connect()
  }

  /** No more faults and no more jobs: in time everything ends. */
  async #rest(): Promise<boolean> {
    const byMs = this.#time.nowMs + REST_MS
    while (this.#time.nowMs < byMs) {
      this.#people.removeAllJobs()
      if (!(await this.#between())) return false
      const span = this.#isQuiet() ? LOOK_EVERY_MS : 5 * LOOK_EVERY_MS
      if (!(await this.#until(this.#time.nowMs + span))) return false
      if (this.#isQuiet()) return true
    }
    this.#seen.violate('rest', `after ${REST_MS / HOUR} h without faults: ${this.#watch.whatIsOpen()}`)
    return false
  }

  #isQuiet(): boolean {
    const isEmpty = ask(this.#boot.reader, 'SELECT 1 FROM jobs LIMIT 1').get() === undefined
    const isSent = ask(this.#boot.reader, UNSENT).get() === undefined
    return isEmpty && isSent && this.#chats.atRest && this.#watch.atRest && liveRuns(this.#boot.reader).length === 0
  }
}

/** Tools that no agent has yet, but a process started by a tool can ask for: waiting for a run, and for a job's. */
function plantWaitingTools(): () => void {
  const { run, replayOf } = Toolbox.prototype
  const methods: Readonly<Record<string, 'agent.wait' | 'cron.run'>> = { sim_wait: 'agent.wait', sim_run: 'cron.run' }
  Toolbox.prototype.run = function (call, context) {
    const method = methods[call.name]
    if (!method) return run.call(this, call, context)
    const waiting = tool({
      name: call.name,
      description: '',
      parameters: z.unknown(),
      replay: 'safe',
      run: () => context.call(method, call.args as never),
    })
    return run.call(new Toolbox([waiting], { allow: undefined, deny: [] }), call, context)
  }
  Toolbox.prototype.replayOf = function (name) {
    return methods[name] ? 'safe' : replayOf.call(this, name)
  }
  return () => {
    Object.assign(Toolbox.prototype, { run, replayOf })
  }
}
