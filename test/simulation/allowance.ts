// How much the house of a scenario allows: places in each pool, queues, tasks, turns in a row, commands. Drawn by a
// generator of its own, so that the rest of a seed stays what it was; the checkers hold the house to these numbers and
// never ask it what its limits are.
import { SECOND } from '../../src/base/durations.ts'
import type { QueueMode } from '../../src/config/schema.ts'
import { Prng } from './prng.ts'

export interface Allowance {
  /** Places by pool. */
  readonly pools: Readonly<Record<string, number>>
  /** Unfinished runs: of one session, and of all. */
  readonly queue: { readonly ahead: number; readonly all: number }
  /** What a message to a session that talks does; by channel, where one differs. */
  readonly modes: { readonly mode: QueueMode; readonly byChannel: Readonly<Record<string, QueueMode>> }
  readonly childrenMax: number
  readonly depthMax: number
  readonly hopsMax: number
  /** Tools that tasks have beyond those that every task has. */
  readonly taskTools: readonly string[]
  /** Commands, and when people are asked for them; undefined: there are none. */
  readonly commands: CommandRules | undefined
}

interface CommandRules {
  readonly ask: 'on-miss' | 'always'
  readonly approvalTimeoutMs: number
  readonly timeoutMs: number
}

/** Commands that need no question where `ask` is `on-miss`. */
export const LISTED = ['ls', 'sluice']
/** Of the models that are asked; its pool is `provider:test`. */
export const PROVIDER = 'test'

/** What holds where the config says nothing. */
export const PLAIN: Allowance = {
  pools: { jobs: 4, subagents: 8 },
  queue: { ahead: 50, all: 5_000 },
  modes: { mode: 'followup', byChannel: {} },
  childrenMax: 8,
  depthMax: 2,
  hopsMax: 10,
  taskTools: [],
  commands: undefined,
}

const TASK_TOOLS: readonly (readonly string[])[] = [
  [],
  ['sessions_spawn'],
  ['sessions_spawn', 'sessions_send'],
  ['sessions_spawn', 'sessions_send', 'cron', 'session_status'],
]

export function drawAllowance(seed: number, turns: number): Allowance {
  const random = new Prng(`allowance ${seed}`)
  const sometimes = <T>(probability: number, draw: () => T): T | undefined =>
    random.chance(probability) ? draw() : undefined
  const provider = sometimes(0.7, () => random.int(1, 2))
  const agent = sometimes(0.2, () => random.int(1, 3))
  return {
    pools: {
      turns,
      jobs: random.int(1, 2),
      subagents: random.int(1, 2),
      ...(provider !== undefined && { [`provider:${PROVIDER}`]: provider }),
      ...(agent !== undefined && { 'agent:main': agent }),
    },
    queue: {
      ahead: sometimes(0.3, () => random.int(1, 4)) ?? PLAIN.queue.ahead,
      all: sometimes(0.2, () => random.int(3, 12)) ?? PLAIN.queue.all,
    },
    modes: PLAIN.modes,
    childrenMax: random.int(1, 4),
    depthMax: random.int(1, 2),
    hopsMax: 2 * random.pick([1, 2, 3, 5]),
    taskTools: random.pick(TASK_TOOLS),
    commands: sometimes(0.85, () => ({
      ask: random.pick(['on-miss', 'always'] as const),
      approvalTimeoutMs: random.pick([10, 60, 600]) * SECOND,
      timeoutMs: random.pick([2, 30, 600]) * SECOND,
    })),
  }
}

/** The config that says all this; of what is as everywhere it says nothing. */
export function configOf(
  allowance: Allowance,
  { turnTimeoutMs, toolTimeoutMs }: { turnTimeoutMs: number; toolTimeoutMs: number | undefined },
): object {
  const { pools, queue, commands } = allowance
  const provider = pools[`provider:${PROVIDER}`]
  const agent = pools['agent:main']
  const timed = toolTimeoutMs === undefined ? {} : { timeoutMs: toolTimeoutMs }
  const baseUrl = 'http://127.0.0.1:1/v1'
  return {
    agents: {
      defaults: {
        maxConcurrent: pools.turns,
        timeoutSeconds: turnTimeoutMs / SECOND,
        maxQueued: queue.all,
        subagents: {
          maxConcurrent: pools.subagents,
          maxDepth: allowance.depthMax,
          maxChildren: allowance.childrenMax,
        },
      },
      ...(agent !== undefined && { list: [{ id: 'main', maxConcurrent: agent }] }),
    },
    cron: { maxConcurrentRuns: pools.jobs },
    ...(provider !== undefined && { models: { providers: { [PROVIDER]: { baseUrl, maxConcurrent: provider } } } }),
    messages: { queue: { cap: queue.ahead, ...allowance.modes } },
    session: { agentToAgent: { maxPingPongTurns: allowance.hopsMax / 2 } },
    tools: {
      ...{ cron: timed, sessions_send: timed, sessions_spawn: timed },
      subagents: { tools: { allow: allowance.taskTools } },
      ...(commands && {
        exec: {
          ...{ security: 'allowlist', ask: commands.ask, allow: LISTED },
          timeoutSec: commands.timeoutMs / SECOND,
          approvalTimeoutSec: commands.approvalTimeoutMs / SECOND,
        },
      }),
    },
  }
}
