// The durable events that the store itself makes: `cron` for what happens to jobs, `chat` for notices. Their shapes are
// the protocol's; members that are undefined are left out. Callers' own events pass through unread.
import type { DurableEvent } from '../port.ts'
import type { Tx } from './tx.ts'

export interface CronEvent {
  readonly jobId: string
  readonly action: 'added' | 'updated' | 'removed' | 'started' | 'finished'
  readonly runAtMs?: number | undefined
  readonly durationMs?: number | undefined
  readonly status?: 'ok' | 'error' | 'skipped' | undefined
  readonly error?: string | undefined
  readonly summary?: string | undefined
  readonly nextRunAtMs?: number | undefined
}

/** JSON drops what is undefined. */
export function emitCron(tx: Tx, event: CronEvent): void {
  tx.emit('cron', event)
}

export function emitAll(tx: Tx, events: readonly DurableEvent[]): void {
  for (const { event, payload } of events) tx.emit(event, payload)
}
