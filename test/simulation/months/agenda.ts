// What happens to a world of months beside its jobs, as its seed draws it: who changes jobs, what befalls the machine.
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/base/durations.ts'
import type { Prng } from '../prng.ts'

export type Event =
  | { readonly kind: 'add' | 'rename' | 'edit' | 'disable' | 'enable' | 'remove' | 'run' | 'kill' }
  | { readonly kind: 'stop'; readonly downMs: number }
  /** The machine sleeps; or the wall clock is wrong for a while, and put right. */
  | { readonly kind: 'suspend'; readonly byMs: number }
  | { readonly kind: 'wrong'; readonly byMs: number; readonly forMs: number }
  /** A kill, and a board that comes up in 1970. */
  | { readonly kind: 'board'; readonly forMs: number }

export type Planned = Event & { readonly atMs: number }

const WEIGHTS = {
  ...{ add: 3, rename: 4, edit: 4, disable: 3, enable: 4, remove: 1.5, run: 8 },
  ...{ kill: 8, stop: 5, suspend: 4, wrong: 3, board: 0.7 },
} as const

/** What happens in so long a time. */
export function drawAgenda(random: Prng, spanMs: number): Planned[] {
  const planned: Planned[] = []
  for (let atMs = random.span(MINUTE, DAY); atMs < spanMs; atMs += random.span(MINUTE, 6 * DAY)) {
    planned.push({ atMs, ...drawEvent(random) })
    // What happens at once with another thing finds other faults.
    if (random.chance(0.25)) planned.push({ atMs: atMs + random.pick([0, 1, SECOND]), ...drawEvent(random) })
  }
  return planned
}

function drawEvent(random: Prng): Event {
  const kind = random.weighted(WEIGHTS)
  switch (kind) {
    case 'stop':
      return { kind, downMs: drawDown(random) }
    case 'suspend':
      return { kind, byMs: random.span(SECOND, 3 * DAY) }
    case 'wrong':
      return { kind, byMs: random.span(SECOND, 2 * DAY) * random.pick([1, -1]), forMs: random.span(MINUTE, 8 * HOUR) }
    case 'board':
      return { kind, forMs: random.span(MINUTE, 2 * HOUR) }
    default:
      return { kind }
  }
}

export function drawDown(random: Prng): number {
  return random.chance(0.5) ? random.span(1, MINUTE) : random.span(MINUTE, 4 * DAY)
}
