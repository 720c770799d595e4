// The chaos run: so many kills, dealt from a shuffled deck so that each kind has its share, over worlds that live a while
// and then have to come to rest. Everything is drawn from one seed that is printed; a world that fails is named, and
// does not hide the others.
import { Prng } from '../simulation/prng.ts'
import { buildChaosGateway } from './bundle.ts'
import { writeOldStore } from './old-store.ts'
import { ChaosWorld, KILLS, type Kill, type LifeKill } from './world.ts'

/** Of a hundred kills. */
const SHARES: Readonly<Record<Kill, number>> = {
  'before-commit': 11,
  'after-commit': 8,
  'mid-stream': 11,
  'effect-result': 11,
  'send-mark': 11,
  migration: 11,
  boot: 5,
  random: 20,
  resuming: 12,
}
/** Kills that a world lives through before it is judged whole. */
const KILLS_OF_WORLD = 24
const KILLS_OF_UPGRADE = 3
/** Worlds at once, as many as the cores that a test machine has. */
const WORLDS_AT_ONCE = 2

export interface ChaosOptions {
  readonly kills: number
  readonly seed: number
  readonly say?: (line: string) => void
}

export interface ChaosReport {
  readonly seed: number
  /** As many as were asked for; a world that fails is not killed any more. */
  readonly wanted: number
  readonly kills: Readonly<Record<Kill, number>>
  readonly counts: Counts
  /** Each with the seed of its world. */
  readonly failed: readonly string[]
}

interface Counts {
  messages: number
  /** Of the messages: those that became part of another's turn. */
  merged: number
  jobs: number
  effects: number
  sends: number
  restarts: number
}

/** What a world is to live through. */
type Life = { readonly name: string } & ({ readonly upgrades: number } | { readonly deaths: readonly LifeKill[] })

function shuffled<T>(list: readonly T[], random: Prng): T[] {
  const left = [...list]
  return list.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T)
}

/** The shares of so many kills; what rounding leaves is random moments. */
function deal(kills: number, seed: number): Life[] {
  const random = new Prng(`deck ${seed}`)
  const kinds = Object.entries(SHARES) as [Kill, number][]
  const deck = kinds.flatMap(([kind, share]) => Array<Kill>(Math.floor((kills * share) / 100)).fill(kind))
  const rest = Array<Kill>(kills - deck.length).fill('random')
  const upgrades = deck.filter(kind => kind === 'migration').length
  const deaths = shuffled(
    [...deck, ...rest].filter((kind): kind is LifeKill => kind !== 'migration'),
    random,
  )
  const lives: Life[] = []
  for (let at = 0; at < deaths.length; at += KILLS_OF_WORLD) {
    lives.push({ name: `${seed}:life-${lives.length}`, deaths: deaths.slice(at, at + KILLS_OF_WORLD) })
  }
  for (let left = upgrades; left > 0; left -= KILLS_OF_UPGRADE) {
    lives.push({ name: `${seed}:upgrade-${lives.length}`, upgrades: Math.min(left, KILLS_OF_UPGRADE) })
  }
  return lives
}

export async function runChaos({ kills, seed, say = () => undefined }: ChaosOptions): Promise<ChaosReport> {
  const bundle = await buildChaosGateway()
  const counts: Counts = { messages: 0, merged: 0, jobs: 0, effects: 0, sends: 0, restarts: 0 }
  const done = Object.fromEntries(Object.keys(KILLS).map(kind => [kind, 0])) as Record<Kill, number>
  const failed: string[] = []
  const count = (kind: Kill) => {
    done[kind] += 1
    const sum = Object.values(done).reduce((total, n) => total + n, 0)
    if (sum % 50 === 0) say(`${sum} of ${kills} kills, ${failed.length} failed`)
  }
  const lives = deal(kills, seed)
  const worker = async () => {
    for (let life = lives.shift(); life; life = lives.shift())
      failed.push(...(await live(bundle.entry, life, { counts, count })))
  }
  try {
    await Promise.all(Array.from({ length: WORLDS_AT_ONCE }, worker))
  } finally {
    bundle.remove()
  }
  return { seed, wanted: kills, kills: done, counts, failed }
}

interface Tally {
  readonly counts: Counts
  readonly count: (kind: Kill) => void
}

/** Answers what was found, each with the world's name. */
async function live(entry: string, life: Life, { counts, count }: Tally): Promise<string[]> {
  const world = new ChaosWorld(entry, life.name)
  try {
    await world.open()
    if ('upgrades' in life) await upgrade(world, life.upgrades, count)
    else {
      for (const kill of life.deaths) {
        await world.round(kill)
        count(kill)
        if (world.findings.length > 0) break
      }
    }
    if (world.findings.length === 0) await world.finish()
  } catch (error) {
    world.findings.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    add(counts, world)
    await world.close()
  }
  return [...new Set(world.findings)].map(finding => `${life.name}: ${finding}`)
}

async function upgrade(world: ChaosWorld, times: number, count: (kind: Kill) => void): Promise<void> {
  world.inherit(writeOldStore(world.folder, world.random))
  for (let n = 0; n < times; n += 1) {
    await world.upgradeRound()
    count('migration')
  }
}

function add(counts: Counts, world: ChaosWorld): void {
  const { messages, merged, jobs, effects, sends } = world.totals()
  counts.messages += messages
  counts.merged += merged
  counts.jobs += jobs
  counts.effects += effects
  counts.sends += sends
  counts.restarts += world.starts
}

/** What a person reads of it. */
export function reportLines({ seed, wanted, kills, counts, failed }: ChaosReport): string[] {
  const sum = Object.values(kills).reduce((total, n) => total + n, 0)
  const { messages, merged, jobs, effects, sends, restarts } = counts
  return [
    `chaos: ${sum} kills, seed ${seed}`,
    ...(Object.entries(kills) as [Kill, number][]).map(([kind, n]) => `  ${String(n).padStart(4)} ${KILLS[kind]}`),
    `${messages} messages (${merged} merged into another's turn), ${jobs} jobs, ${effects} effects, ${sends} sends, ${restarts} starts`,
    ...failed,
    failed.length === 0
      ? '0 failed'
      : `${failed.length} failed; again with: npm run chaos -- --kills ${wanted} --seed ${seed}`,
  ]
}
