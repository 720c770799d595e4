// Asks Telegram for updates, for as long as the channel runs. An update is confirmed (by the offset of a later question)
// only when it and all before it are on disk. While something is not, the question is repeated from there now and then,
// so that other chats go on; nothing of what comes again is handed on twice.
import { GrammyError } from 'grammy/web'
import { SECOND } from '../../base/durations.ts'
import { pause } from '../../base/pause.ts'
import type { Clock } from '../../base/world.ts'
import type { Intake } from './intake.ts'
import type { Service } from './service.ts'
import { UPDATES } from './updates.ts'

/** How long the service may hold a question that it has no answer to. */
const HOLD_MS = 50 * SECOND
/** An answer that is later than that will not come: the connection is dead. */
const ANSWER_TIMEOUT_MS = HOLD_MS + 15 * SECOND
/** The most that one answer may have, and so that may be under way at once. */
export const WINDOW = 100
/** Between two questions while an update waits to be on disk, and when a question was not held as it asked. */
const RECHECK_MS = SECOND / 2

export interface PollParts {
  readonly service: Service
  readonly clock: Clock
  readonly intake: Intake
  readonly signal: AbortSignal
  /** An answer came: all is well. */
  readonly alive: () => void
}

/** Asks until the signal aborts; rejects with what the service threw. May be begun anew. */
export async function poll({ service, clock, intake, signal, alive }: PollParts): Promise<void> {
  let next: number | undefined
  // The first question is answered at once, so that it is soon known that all is well.
  let isFirst = true
  while (!signal.aborted) {
    const offset = intake.oldest ?? next
    const holdMs = isFirst || intake.underWay > 0 ? 0 : HOLD_MS
    const askedMs = clock.monotonic()
    const question = { limit: WINDOW, timeout: holdMs / SECOND, allowed_updates: [...UPDATES] }
    const updates = await service.bounded(
      over => service.api.getUpdates({ ...question, ...(offset !== undefined && { offset }) }, over),
      { timeoutMs: ANSWER_TIMEOUT_MS, signal },
    )
    isFirst = false
    alive()
    if (offset !== undefined) intake.forget(offset)
    const isNews = updates.filter(update => intake.keep(update)).length > 0
    const last = updates.at(-1)
    // After a quiet week ids begin anew anywhere. Nothing came, so all is confirmed, and no offset is needed.
    next = last && last.update_id + 1
    if (intake.underWay > 0) await emptyOrLate(intake, clock, signal)
    else if (!isNews && holdMs > 0 && clock.monotonic() - askedMs < RECHECK_MS) await pause(clock, RECHECK_MS, signal)
  }
}

async function emptyOrLate(intake: Intake, clock: Clock, signal: AbortSignal): Promise<void> {
  const empty = new AbortController()
  intake.whenEmpty(() => empty.abort())
  await pause(clock, RECHECK_MS, AbortSignal.any([empty.signal, signal]))
}

export function isConflict(thrown: unknown): boolean {
  return thrown instanceof GrammyError && thrown.error_code === 409
}

export function isUnknownToken(thrown: unknown): boolean {
  return thrown instanceof GrammyError && (thrown.error_code === 401 || thrown.error_code === 404)
}
