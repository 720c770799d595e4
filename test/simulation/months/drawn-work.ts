// What the jobs of a seed do when they fire, whether a command decides of it first, and what they may use of models.
import { MINUTE } from '../../../src/base/durations.ts'
import type { Budget } from '../../../src/protocol/job-policy.ts'
import type { Prng } from '../prng.ts'

/** Of a condition, and of what a command job does. */
export const [CONDITION, WORK] = ['judge', 'work']
/** What one answer of a model uses. */
export const TOKENS = { min: 50, max: 150 } as const

export interface DrawnWork {
  readonly kind: 'agentTurn' | 'message' | 'systemEvent' | 'command'
  /** A command decides first. */
  readonly when: boolean
  /** As `cron.add` takes it. */
  readonly definition: Readonly<Record<string, unknown>>
}

export function drawWork(random: Prng, name: string): DrawnWork {
  const kind = random.weighted({ agentTurn: 6, message: 1.5, systemEvent: 1.5, command: 2 })
  const when = random.chance(0.2)
  const condition = when && { when: { argv: [CONDITION], timeoutSeconds: 10 * 60 } }
  return { kind, when, definition: { ...condition, ...definitionOf(kind, random, name) } }
}

function definitionOf(kind: DrawnWork['kind'], random: Prng, name: string) {
  const timeoutSeconds = random.int(10 * 60, 28 * 3_600)
  switch (kind) {
    case 'agentTurn':
      return { payload: { kind, message: name, timeoutSeconds } }
    case 'message':
      return { payload: { kind, text: name } }
    case 'systemEvent':
      return {
        payload: { kind, text: name },
        sessionTarget: 'main',
        wakeMode: random.pick(['now', 'next-heartbeat']),
      }
    case 'command':
      return { payload: { kind, argv: [WORK], timeoutSeconds: random.int(5, 25) * (MINUTE / 1_000) } }
  }
}

export function drawBudget(random: Prng): { budget?: Budget } {
  if (!random.chance(0.25)) return {}
  return {
    budget: random.chance(0.3)
      ? { runTokens: random.int(1, 2 * TOKENS.max) }
      : { dayTokens: random.int(TOKENS.min, 6 * TOKENS.max) },
  }
}
