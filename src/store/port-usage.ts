// The part of the store's port that is about what models used. It is counted by appendEntries of port.ts, in the commit of
// the answer itself; here is only what is read of it.
import type { UsageRow } from './rows.ts'

export interface UsageReads {
  /** What a scope (usageScopes of rows.ts) used from a day on ('': ever), in sums; newest day, or last model, first. */
  usage(of: { scope: string; fromDay: string; by: 'day' | 'model' }): UsageRow[]
}
