// Who has a place in which pool, made from what is on disk and from what runners were seen to do, and held against the
// limits of the scenario: no pool above its limit, none idle while somebody could use it, and the house's own count the
// same. It shares nothing with the slots but the names of the pools.
import { PROVIDER } from './allowance.ts'
import type { Boot } from './boot.ts'
import { ask } from './disk.ts'
import { type Scenario, slackOf } from './scenario.ts'
import { isWait, type LiveRun, waitedRunId } from './shadow.ts'
import type { Attempt, Sightings, TurnCall } from './sightings.ts'

/** All that is under way at a moment when nothing is ready to run. */
export interface Moment {
  readonly at: Boot
  readonly live: readonly LiveRun[]
  /** Calls of turns that are not over. */
  readonly open: readonly TurnCall[]
  /** Attempts that are in a runner, of runs that run. */
  readonly held: readonly Attempt[]
}

/** Somebody who could go on, if there were places. */
interface Claimant {
  readonly who: string
  readonly pools: readonly string[]
}

const ASKING = `SELECT 1 FROM approvals WHERE run_id = ? AND call_id = ? AND state = 'pending' AND expires_at_ms >= ?`

export function poolsOf({ jobId, source }: Pick<LiveRun, 'jobId' | 'source'>): string[] {
  return ['turns', 'agent:main', ...(jobId === null ? [] : ['jobs']), ...(source === 'spawn' ? ['subagents'] : [])]
}

export function checkPools(moment: Moment, { scenario, seen }: { scenario: Scenario; seen: Sightings }): void {
  const limits = scenario.allowance.pools
  const taken = new Map<string, number>()
  const seated = seatedOf(moment)
  for (const pool of seated.flatMap(one => one.pools)) taken.set(pool, (taken.get(pool) ?? 0) + 1)
  for (const [pool, limit] of Object.entries(limits)) {
    const count = taken.get(pool) ?? 0
    if (count > limit) seen.violate('slots', `${count} turns work in pool ${pool}, which has room for ${limit}`)
  }
  checkCounters(moment, { seen, limits, taken, seated: seated.length })
  const hasRoom = (pool: string) => (taken.get(pool) ?? 0) < (limits[pool] ?? Number.POSITIVE_INFINITY)
  const idle = claimantsOf(moment, { seen, scenario }).find(({ pools }) => pools.every(hasRoom))
  if (idle) {
    const room = idle.pools.map(pool => `${pool} ${taken.get(pool) ?? 0}/${limits[pool] ?? '-'}`).join(', ')
    seen.violate('work-conserved', `${idle.who} could go on: ${room}`)
  }
}

function checkCounters(
  { at }: Moment,
  found: {
    seen: Sightings
    limits: Readonly<Record<string, number>>
    taken: ReadonlyMap<string, number>
    seated: number
  },
): void {
  const { seen, limits, taken, seated } = found
  const { slots } = at.house.parts
  if (slots.takenCount !== seated || slots.parkedCount < 0)
    seen.violate('slots', `counters say ${slots.takenCount} taken, ${slots.parkedCount} parked; ${seated} turns work`)
  for (const pool of slots.pools()) {
    const count = taken.get(pool.name) ?? 0
    if (pool.limit !== limits[pool.name] || pool.taken > pool.limit || pool.taken !== count)
      seen.violate(
        'slots',
        `pool ${pool.name} says ${pool.taken} of ${pool.limit}; ${count} of ${limits[pool.name]} work`,
      )
  }
}

function seatedOf({ live, open, held }: Moment): Claimant[] {
  const runs = new Map(live.map(run => [run.runId, run]))
  const waiting = new Set(open.filter(isWait).map(call => call.attempt))
  const seated = held.filter(attempt => attempt.place !== 'wanted' && !waiting.has(attempt))
  return seated.map(attempt => ({
    who: attempt.runId,
    pools: [
      ...poolsOf(runs.get(attempt.runId) as LiveRun),
      ...(attempt.place === 'had' ? [`provider:${PROVIDER}`] : []),
    ],
  }))
}

function claimantsOf(moment: Moment, world: { seen: Sightings; scenario: Scenario }): Claimant[] {
  const { live, open, held } = moment
  const running = new Map(live.flatMap(run => (run.state === 'running' ? [[run.runId, run]] : [])))
  const busy = new Set([...running.values()].map(run => run.sessionKey))
  const firsts = live.filter(run => {
    if (run.state !== 'queued' || busy.has(run.sessionKey)) return false
    busy.add(run.sessionKey)
    // One that is to be tried again later keeps its lane meanwhile.
    return run.retryAtMs === null
  })
  const wanting = held.filter(attempt => attempt.place === 'wanted')
  const back = open.filter(call => running.has(call.runId) && isOver(call, moment, world))
  return [
    ...firsts.map(run => ({ who: `${run.runId}, which is queued,`, pools: poolsOf(run) })),
    ...wanting.map(({ runId }) => ({
      who: `${runId}, which wants to ask its model,`,
      pools: [...poolsOf(running.get(runId) as LiveRun), `provider:${PROVIDER}`],
    })),
    ...back.map(call => ({
      who: `${call.runId}, whose wait in ${call.name} is over,`,
      pools: poolsOf(running.get(call.runId) as LiveRun),
    })),
  ]
}

/** What the call waited for has come: only a place is missing. */
export function isOver(
  call: TurnCall,
  { at, live }: Pick<Moment, 'at' | 'live'>,
  { seen, scenario }: { seen: Sightings; scenario: Scenario },
): boolean {
  if (call.name !== 'exec')
    return isWait(call) && call.name.startsWith('sessions_') && !live.some(run => run.runId === waitedRunId(call))
  const nowMs = at.clock.now()
  // A question whose time is over when a turn comes back to it is given this moment.
  if (call.startedMs === nowMs) return false
  const isAsking = ask(at.reader, ASKING).get(call.runId, call.id, nowMs - slackOf(scenario)) !== undefined
  return !isAsking && !seen.commands.some(run => run.boot === at.number && run.callId === call.id && !run.endedMs)
}
