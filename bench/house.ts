// The gateway's inside, put together in this process as gateway.ts does it, with two differences: the runner is the
// caller's choice, and the parts can be reached. For benches that look between the parts.
import { nodeClock, nodeRandom } from '../src/base/node/world.ts'
import type { Clock } from '../src/base/world.ts'
import { Joins, type Standing } from '../src/coordination/joins.ts'
import { Lanes } from '../src/coordination/lanes.ts'
import { Slots } from '../src/coordination/slots.ts'
import { WaitGraph } from '../src/coordination/wait-graph.ts'
import type { Caller } from '../src/dispatch/caller.ts'
import { Dispatcher } from '../src/dispatch/dispatcher.ts'
import { EventHub } from '../src/dispatch/event-hub.ts'
import { allHandlers } from '../src/methods/handlers.ts'
import type { MethodParts } from '../src/methods/parts.ts'
import { OFFLINE_REF } from '../src/providers/choice.ts'
import { Scheduler } from '../src/scheduler/scheduler.ts'
import type { Store } from '../src/store/port.ts'
import type { RunRow } from '../src/store/rows.ts'
import { cronTool } from '../src/tools/cron-tool.ts'
import { SESSION_TOOLS } from '../src/tools/session-tools.ts'
import type { ToolCaller } from '../src/tools/tool.ts'
import { Toolbox } from '../src/tools/toolbox.ts'
import { TurnEngine } from '../src/turns/engine.ts'
import type { Runner } from '../src/turns/runner.ts'

export const ZONE = 'Europe/Berlin'
const SLOTS = 512
const TURN_MS_MAX = 60_000

export const OPERATOR: Caller = { principal: 'operator', label: 'bench', scopes: new Set(['operator.admin']) }

export interface House {
  readonly dispatcher: Dispatcher
  readonly hub: EventHub
  readonly toolbox: Toolbox
  readonly parts: MethodParts
}

export function furnish(store: Store, runner: Runner): House {
  const clock: Clock = nodeClock
  const hub = new EventHub()
  store.onEvents(events => {
    for (const event of events) hub.publish(event)
  })
  const graph = new WaitGraph()
  const joins = new Joins<RunRow>(graph, clock)
  const lanes = new Lanes(graph)
  const slots = new Slots(SLOTS)
  const toolbox = new Toolbox([cronTool, ...SESSION_TOOLS], { allow: undefined, deny: [] })
  const model = { kind: 'offline', ref: OFFLINE_REF, zone: ZONE } as const
  const log = (level: string, message: string, fields?: object) => {
    if (level !== 'info') console.error(level, message, fields)
  }
  const call: Dispatcher['call'] = (name, params, from) => dispatcher.call(name, params, from)
  const engine = new TurnEngine({
    ...{ store, clock, graph, lanes, slots, joins, runner, toolbox, log },
    publish: event => hub.publish(event),
    zone: ZONE,
    timeoutMs: TURN_MS_MAX,
    chooseModel: () => model,
    callerFor: (run, standing, { key }) => callerOf(call, run, { standing, key }),
    noticeFor: () => undefined,
  })
  const scheduler = new Scheduler({
    ...{ store, clock, random: nodeRandom, zone: ZONE, log },
    enabled: true,
    submit: run => engine.submit(run),
    plan: () => {
      throw new Error('no job falls due in a bench')
    },
  })
  const parts: MethodParts = {
    store,
    clock,
    random: nodeRandom,
    engine,
    scheduler,
    joins,
    lanes,
    slots,
    graph,
    facts: factsOf(),
  }
  const dispatcher: Dispatcher = new Dispatcher(allHandlers(parts), clock)
  scheduler.start()
  return { dispatcher, hub, toolbox, parts }
}

function callerOf(call: Dispatcher['call'], run: RunRow, of: { standing: Standing; key: string }): ToolCaller {
  const { runId, sessionKey, agentId, jobId } = run
  const turn = { runId, sessionKey, agentId, jobId, standing: of.standing }
  const caller: Caller = { principal: `session:${sessionKey}`, label: 'a turn', scopes: new Set(), turn, zone: ZONE }
  return async (method, params) =>
    (await call(method, params, { caller, key: of.key, signal: of.standing.deadline.signal })) as never
}

function factsOf(): MethodParts['facts'] {
  return {
    version: 'bench',
    stateDir: '',
    zone: ZONE,
    startedAtMs: Date.now(),
    modelRef: OFFLINE_REF,
    loopDelayMs: () => ({ p50: 0, p99: 0, max: 0 }),
    memoryBytes: () => 0,
    pid: process.pid,
  }
}
