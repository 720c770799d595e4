// When a session begins anew by itself, as the config says it. Without a mode it never does: what was said stays.
import * as z from 'zod'
import { MINUTE } from '../base/durations.ts'

const HOUR_DEFAULT = 4
const IDLE_MINUTES_DEFAULT = 60

export const sessionResetSchema = z.looseObject({
  mode: z
    .enum(['daily', 'idle'])
    .optional()
    .describe('When a session begins anew: with the first message of a day, or after a pause; never without it.'),
  atHour: z.int().min(0).max(23).optional().meta({
    description: 'When a day begins, as an hour of the local day; for daily.',
    default: HOUR_DEFAULT,
  }),
  idleMinutes: z
    .int()
    .min(1)
    .max(43_200)
    .optional()
    .describe('How long a pause is: 60 for idle; for daily none without it, and whichever is first with it.'),
})

/** At this local hour a day begins, and a pause is so long; undefined: it does not matter. */
export type SessionReset = ReturnType<typeof sessionResetOf>

export function sessionResetOf(config: z.output<typeof sessionResetSchema> | undefined) {
  const { mode, atHour = HOUR_DEFAULT, idleMinutes } = config ?? {}
  const idle = mode === 'idle' ? (idleMinutes ?? IDLE_MINUTES_DEFAULT) : mode && idleMinutes
  return {
    atHour: mode === 'daily' ? atHour : undefined,
    idleMs: idle === undefined ? undefined : idle * MINUTE,
  }
}
