// Makes the figures of the `contention` bench of what its probes, its dials and the machine's counters found. It
// measures nothing.
import type { CallName, Found, LinkParts, Samples, WindowName } from './contention-calls.ts'
import { type Figure, median, percentile } from './measure.ts'

const LINK_GOALS = { p50: 0.5, p99: 10 }
const LOOP_GOAL_MS = 10
const IN_PROCESS_GOALS = { p50: 50 }
const SHARES = { p50: 0.5, p99: 0.99, 'p99.9': 0.999 } as const

export interface Dialled {
  readonly samples: Samples
  errors: number
  made: number
}

/** What happened in a stretch of time, and the processor time that each party used in it. */
export interface Load {
  readonly atMs: number
  readonly heard: number
  readonly machineMs: number
  readonly gatewayMs: number
  readonly modelMs: number
  readonly clientMs: number
}

interface Given {
  readonly unit?: string
  readonly goals?: Partial<Record<keyof typeof SHARES, number>>
  readonly shares?: readonly (keyof typeof SHARES)[]
}

function spread(name: string, samples: readonly number[], given: Given = {}): Figure[] {
  const { unit = 'ms', goals = {}, shares = ['p50', 'p99', 'p99.9'] } = given
  return shares.map(share => {
    const goal = goals[share]
    const value = percentile(samples, SHARES[share])
    return { name: `${name}, ${share}`, value, unit, better: 'lower', ...(goal !== undefined && { goal }) }
  })
}

function counted(way: string, calls: number, errors: number): Figure[] {
  return [
    { name: `${way}, calls`, value: calls, unit: 'calls', better: 'higher' },
    { name: `${way}, errors`, value: errors, unit: 'errors', better: 'lower' },
  ]
}

export function callFigures(found: Found, dialled: Dialled): Figure[] {
  const { inProcess, again } = found
  const inUs = (samples: readonly number[]) => samples.map(ms => ms * 1_000)
  const calls = inProcess.list.length + inProcess.add.length + again.length
  const overLink = (call: CallName, part: (parts: LinkParts) => number) =>
    found.overLink.filter(parts => parts.call === call).map(part)
  const whole = ({ outMs, workMs, commitMs, backMs }: LinkParts) => outMs + workMs + commitMs + backMs
  const bare = ({ outMs, workMs, backMs }: LinkParts) => outMs + workMs + backMs
  const roundTrips = { list: overLink('list', whole), add: overLink('add', whole) }
  const { list, add } = dialled.samples
  const few = { shares: ['p50', 'p99'] } as const
  return [
    ...spread('(a) in process, cron.list', inUs(inProcess.list), { unit: 'us' }),
    ...spread('(a) the same again before the next commit', inUs(again), {
      unit: 'us',
      goals: IN_PROCESS_GOALS,
      ...few,
    }),
    ...spread('(a) in process, cron.add', inProcess.add),
    ...counted('(a) in process', calls, found.inProcessErrors),
    ...spread('(b) over the link, list, without its commit', overLink('list', bare), { goals: LINK_GOALS }),
    ...spread(
      '(b)   from the ask to the control loop',
      overLink('list', ({ outMs }) => outMs),
      few,
    ),
    ...spread(
      '(b)   the call itself',
      overLink('list', ({ workMs }) => workMs),
      few,
    ),
    ...spread(
      '(b)   from the answer to the turn',
      overLink('list', ({ backMs }) => backMs),
      few,
    ),
    ...spread(
      '(b)   the commit of its result',
      overLink('list', ({ commitMs }) => commitMs),
      few,
    ),
    ...spread('(b) over the link, list, whole', roundTrips.list),
    ...spread('(b) over the link, add, without the commit of its result', overLink('add', bare)),
    ...spread('(b) over the link, add, whole', roundTrips.add),
    ...counted('(b) over the link', found.overLink.length, found.linkErrors),
    ...spread('(c) new WebSocket, cron.list', list),
    ...spread('(c) new WebSocket, cron.add', add),
    ...counted('(c) new WebSocket', list.length + add.length, dialled.errors),
    times('cron.list: (c) over (a), p50', list, inProcess.list),
    times('cron.list: (c) over (b) without its commit, p50', list, overLink('list', bare)),
    times('cron.list: (c) over (b) whole, p50', list, roundTrips.list),
    times('cron.add: (c) over (a), p50', add, inProcess.add),
    times('cron.add: (c) over (b) whole, p50', add, roundTrips.add),
  ]
}

function times(name: string, over: readonly number[], under: readonly number[]): Figure {
  return { name, value: median(over) / median(under), unit: 'x', better: 'higher' }
}

/** Each window has its own histogram: the worse of two is shown. */
export function loopFigures({ windows }: Found, sinceStart: { p99: number; max: number }): Figure[] {
  const worst = (window: WindowName, share: 'p50' | 'p99' | 'max') =>
    Math.max(...windows.filter(found => found.window === window).map(({ loop }) => loop[share]))
  const busy = windows.filter(({ window }) => window === 'own').map(found => found.busy * 100)
  const ms = (name: string, value: number): Figure => ({ name, value, unit: 'ms', better: 'lower' })
  return [
    ms('loop delay, p50', worst('own', 'p50')),
    { ...ms('loop delay, p99', worst('own', 'p99')), goal: LOOP_GOAL_MS },
    ms('loop delay, max', worst('own', 'max')),
    ms('loop delay while others dial, p99', worst('dial', 'p99')),
    ms('loop delay while others dial, max', worst('dial', 'max')),
    ms('status.loopDelayMs since the start, p99', sinceStart.p99),
    ms('status.loopDelayMs since the start, max', sinceStart.max),
    { name: 'control loop busy or kept from its core', value: Math.max(...busy), unit: '%', better: 'lower' },
  ]
}

/**
 * Two cores are 200 %. What none of ours used was used by others on this machine, and makes the figures worse. Linux
 * counts processes and cores in two ways, which differ by some percent.
 */
export function loadFigures(load: Load, paceKept: number): Figure[] {
  const { atMs, machineMs, gatewayMs, modelMs, clientMs } = load
  const used = (name: string, ms: number): Figure => ({
    ...{ name: `processor time: ${name}`, value: (ms / atMs) * 100, unit: '%', better: 'lower' },
  })
  return [
    {
      name: 'calls made of those that the pace of the turns asks for',
      value: paceKept * 100,
      unit: '%',
      better: 'higher',
    },
    { name: 'events heard by the watcher', value: load.heard / (atMs / 1_000), unit: '/s', better: 'higher' },
    used('gateway, all threads', gatewayMs),
    used('model', modelMs),
    used('client and watcher', clientMs),
    used('all else on the machine', Math.max(0, machineMs - gatewayMs - modelMs - clientMs)),
  ]
}
