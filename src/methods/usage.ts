// Handlers on what models used: sums of the store, in the shapes that clients of the protocol know.
import { dayOf, dayStart } from '../base/days.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { UsageRow } from '../store/rows.ts'
import { sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'

const DAYS_DEFAULT = 30
const ALL = 'all'
const MICRO = 1_000_000

type Totals = Result<'usage.cost'>['totals']

export function usageHandlers(parts: MethodParts): Pick<Handlers, 'usage.status' | 'usage.cost'> {
  return {
    'usage.status': () => statusOf(parts),
    'usage.cost': call => costOf(parts, scopeOf(parts, call), call.params.days ?? DAYS_DEFAULT),
  }
}

function scopeOf(parts: MethodParts, { params, caller }: Call<'usage.cost'>): string {
  const { sessionKey, jobId } = params
  if (jobId !== undefined) return `job:${jobId}`
  return sessionKey === undefined ? ALL : `session:${sessionNamed(parts, sessionKey, { caller }).key}`
}

function costOf({ store, clock, facts }: MethodParts, scope: string, days: number): Result<'usage.cost'> {
  const nowMs = clock.now()
  const fromDay = dayOf(dayStart(nowMs, facts.zone, 1 - days), facts.zone)
  const rows = store.read.usage({ scope, fromDay, by: 'day' }).reverse()
  return {
    updatedAt: nowMs,
    days,
    daily: rows.map(row => ({ date: row.name, ...totalsOf([row]) })),
    totals: totalsOf(rows),
  }
}

function statusOf({ store, clock, facts, settings }: MethodParts): Result<'usage.status'> {
  const nowMs = clock.now()
  const { providers, caps } = settings().models
  const rows = store.read.usage({ scope: ALL, fromDay: dayOf(nowMs, facts.zone), by: 'model' })
  const names = new Set([...Object.keys(providers), ...rows.map(row => providerOf(row))])
  const resetAt = dayStart(nowMs, facts.zone, 1)
  return {
    updatedAt: nowMs,
    providers: [...names].map(provider => {
      const totals = totalsOf(rows.filter(row => providerOf(row) === provider))
      const usedPercent = Math.max(
        percent(totals.totalTokens, caps.day.tokens),
        percent(totals.totalCost, caps.day.usd),
      )
      return { provider, displayName: provider, windows: [{ label: 'Day', usedPercent, resetAt }], totals }
    }),
  }
}

function providerOf({ name }: UsageRow): string {
  return name.split('/')[0] as string
}

/** Whole percent; of no cap, none is used. */
function percent(used: number, cap: number | undefined): number {
  if (cap === undefined || used === 0) return 0
  return cap === 0 ? 100 : Math.min(100, Math.round((100 * used) / cap))
}

function totalsOf(rows: readonly UsageRow[]): Totals {
  const sum = (of: (row: UsageRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    input: sum(row => Math.max(0, row.inputTokens - row.cacheReadTokens - row.cacheWriteTokens)),
    output: sum(row => row.outputTokens),
    cacheRead: sum(row => row.cacheReadTokens),
    cacheWrite: sum(row => row.cacheWriteTokens),
    totalTokens: sum(row => row.inputTokens + row.outputTokens),
    totalCost: sum(row => row.costMicroUsd) / MICRO,
    missingCostEntries: sum(row => row.unpriced),
  }
}
