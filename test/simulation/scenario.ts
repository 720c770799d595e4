// What a seed stands for: how large the house is, what people do in it and when, and which faults befall it. Drawn whole
// before the first step; only who is named by an action (a job, a run) is chosen when its time comes.
import { HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { type Allowance, configOf, drawAllowance, PLAIN } from './allowance.ts'
import { Prng } from './prng.ts'
import { drawTalk, SILENCE, type Talk, type TalkKind } from './talk.ts'

const WEIGHTS = {
  chat: 26,
  agent: 14,
  ring: 5,
  chain: 5,
  'send-outside': 7,
  wait: 8,
  abort: 9,
  'cron-add': 9,
  'cron-run': 6,
  'cron-remove': 3,
  repeat: 8,
  look: 8,
  crash: 2.5,
  restart: 1.5,
}
export type ActionKind = keyof typeof WEIGHTS | TalkKind

export interface Action {
  readonly atMs: number
  readonly kind: ActionKind
  readonly name: string
}

export interface Faults {
  /** Probability that an attempt's runner dies. */
  readonly runnerDeath: number
  readonly modelFailure: number
  /** Probability that a model does not hear its abort. */
  readonly deafModel: number
  /** Probability that a commit waits for the disk, and the longest such wait. */
  readonly slowDisk: number
  readonly diskDelayMsMax: number
  /** Probability that a commit is the gateway's last. */
  readonly crashInCommit: number
  /** Probability that a commit takes a moment in which nothing else can run. */
  readonly leapInCommit: number
  readonly leapMsMax: number
}

export interface Scenario {
  readonly seed: number
  readonly sessions: readonly string[]
  readonly world: World
  readonly talk: Talk
  readonly allowance: Allowance
  readonly config: object
  readonly turnTimeoutMs: number
  readonly thinkMsMax: number
  readonly actions: readonly Action[]
  readonly horizonMs: number
  readonly faults: Faults
}

/**
 * `plain`: nobody hands on tasks, runs commands or asks people. `asking`: they do. `talking`: and people write while turns
 * run, here and in the chats of channels. Each means what it meant before there was the next.
 */
export type World = 'plain' | 'asking' | 'talking'

const PLAIN_SHARE = 0.15
const ASKING_SHARE = 0.25

function worldOf(seed: number): World {
  if (new Prng(`kind ${seed}`).chance(PLAIN_SHARE)) return 'plain'
  return new Prng(`talks ${seed}`).chance(ASKING_SHARE) ? 'asking' : 'talking'
}

/** After the last action: time enough for every time-out that a scenario can draw. */
export const REST_MS = 12 * HOUR

/** `world`: what may happen; undefined: the seed says. */
export function drawScenario(seed: number, world = worldOf(seed)): Scenario {
  const random = new Prng(`scenario ${seed}`)
  const count = random.chance(0.7) ? random.int(2, 6) : random.int(7, 50)
  const ownSessions = Array.from({ length: count }, (_, index) => `agent:main:s${index}`)
  const slots = random.int(1, 4)
  const turnTimeoutMs = random.pick([20, 90, 300, 1_200]) * SECOND
  const toolTimeoutMs = random.pick([undefined, undefined, 200, 2_000])
  const horizonMs = random.span(MINUTE, 20 * MINUTE)
  const actions = Array.from({ length: random.int(8, 45) }, (_, index) => ({
    atMs: random.int(0, horizonMs),
    kind: random.weighted(WEIGHTS),
    name: `${index}`,
  }))
  const faults = drawFaults(random)
  const talk = world === 'talking' ? drawTalk(seed, horizonMs) : SILENCE
  const allowance =
    world === 'plain'
      ? { ...PLAIN, pools: { ...PLAIN.pools, turns: slots } }
      : { ...drawAllowance(seed, slots), modes: talk.modes }
  return {
    seed,
    sessions: [...ownSessions, ...talk.sessions],
    world,
    talk,
    allowance,
    turnTimeoutMs,
    thinkMsMax: random.pick([500, 5_000, 60_000]),
    horizonMs,
    actions: [...actions.filter(({ name }) => talk.keeps(name)), ...talk.actions].sort((a, b) => a.atMs - b.atMs),
    faults,
    config: configOf(allowance, { turnTimeoutMs, toolTimeoutMs }),
  }
}

function drawFaults(random: Prng): Faults {
  const sometimes = (probability: number, value: number) => (random.chance(probability) ? value : 0)
  return {
    runnerDeath: sometimes(0.5, 0.15),
    modelFailure: sometimes(0.5, 0.06),
    deafModel: sometimes(0.4, 0.1),
    slowDisk: sometimes(0.35, 0.25),
    diskDelayMsMax: random.pick([20, 1_000, 8_000]),
    crashInCommit: sometimes(0.4, 0.01),
    leapInCommit: sometimes(0.25, 0.05),
    leapMsMax: 5_000,
  }
}

/** What takes a moment may take this much longer, on a slow disk or when time passes inside a commit. */
export function slackOf({ faults }: Scenario): number {
  return (faults.slowDisk > 0 ? 4 * faults.diskDelayMsMax : 0) + (faults.leapInCommit > 0 ? 20_000 : 0)
}
