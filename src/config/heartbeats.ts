// Heartbeats in the config: what each key means, and the rules that follow from it. None beats unless the config says so.
import * as z from 'zod'
import { MINUTE, parseDuration } from '../base/durations.ts'
import { isZone } from '../base/zoned-time.ts'
import type { HeartbeatRule } from '../protocol/heartbeat.ts'
import { wrong } from './references.ts'

/** Turns cost: none is begun that nobody asked for. */
const EVERY_DEFAULT = '0m'
const ACK_LENGTH_MAX_DEFAULT = 300
const DAY_MINUTES = 1_440
const PROMPT =
  'Look whether something needs the person now: what you promised, what is due, results that nobody was told. ' +
  'If so, say it briefly. If nothing does, answer HEARTBEAT_OK and nothing else.'

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'write a time of day as HH:MM, e.g. 08:00')

/** `own`: of one agent, where what is left out is as the defaults say. */
export function heartbeatSchema({ own = false } = {}) {
  const told = (description: string, byDefault: unknown) => ({
    description,
    ...(!own && { default: byDefault }),
  })
  return z.looseObject({
    every: z
      .string()
      .refine(isInterval, 'write a duration of at least a minute, such as 30m, or 0m for none')
      .optional()
      .meta(told('How often the main session has a turn by itself, such as 30m; 0m: never.', EVERY_DEFAULT)),
    activeHours: z
      .looseObject({
        start: timeOfDay.optional().meta(told('When heartbeats begin on each day.', '00:00')),
        end: timeOfDay.optional().meta(told('When they end; before the start: on the next day.', '24:00')),
        timezone: z.string().min(1).optional().describe("Zone of these times; the person's without it."),
      })
      .optional(),
    prompt: z.string().min(1).max(20_000).optional().describe('What the session is asked then.'),
    model: z.string().min(1).optional().describe('The model of these turns; that of the session without it.'),
    target: z
      .enum(['none', 'last'])
      .optional()
      .meta(told('Whether what it says is told to the person where they read, or stays in the session.', 'last')),
    ackMaxChars: z
      .int()
      .min(0)
      .max(10_000)
      .optional()
      .meta(told('HEARTBEAT_OK with at most so many characters beside it is not told.', ACK_LENGTH_MAX_DEFAULT)),
  })
}

function isInterval(text: string): boolean {
  const everyMs = parseDuration(text)
  return everyMs !== undefined && (everyMs === 0 || everyMs >= MINUTE)
}

type HeartbeatConfig = z.output<ReturnType<typeof heartbeatSchema>>

interface AgentsConfig {
  readonly defaults?: { readonly heartbeat?: HeartbeatConfig | undefined } | undefined
  readonly list?: readonly { readonly id: string; readonly heartbeat?: HeartbeatConfig | undefined }[] | undefined
}

/** Agents with settings of their own beat, else the one that is always there, as the defaults say. */
export function heartbeatsOf(agents: AgentsConfig | undefined, zone: string, mainAgent: string): HeartbeatRule[] {
  const defaults = agents?.defaults?.heartbeat
  const listed = (agents?.list ?? []).map((agent, index) => ({ ...agent, path: `agents.list.${index}` }))
  const own = listed.filter(({ heartbeat }) => heartbeat !== undefined)
  const beating = own.length > 0 ? own : defaults ? [{ id: mainAgent, heartbeat: {}, path: '' }] : []
  return beating
    .map(({ id, heartbeat, path }) => {
      const hoursPath = `${heartbeat?.activeHours ? path : 'agents.defaults'}.heartbeat.activeHours`
      const config = { ...defaults, ...heartbeat }
      return ruleOf(id, config, activeHoursOf(config.activeHours, zone, hoursPath))
    })
    .filter(({ everyMs }) => everyMs > 0)
}

type ActiveHours = HeartbeatRule['activeHours']

function ruleOf(agentId: string, config: HeartbeatConfig, activeHours: ActiveHours): HeartbeatRule {
  const { every = EVERY_DEFAULT, prompt = PROMPT, target = 'last', ackMaxChars = ACK_LENGTH_MAX_DEFAULT } = config
  return {
    ...{ agentId, everyMs: parseDuration(every) ?? 0, prompt, target, ackLengthMax: ackMaxChars, model: config.model },
    activeHours,
  }
}

function activeHoursOf(hours: HeartbeatConfig['activeHours'], zone: string, path: string): ActiveHours {
  if (!hours) return undefined
  const { start = '00:00', end = '24:00', timezone = 'user' } = hours
  const named = timezone === 'user' || timezone === 'local' ? zone : timezone
  if (!isZone(named)) throw wrong(`${path}.timezone`, `is "${named}", which is no IANA zone.`)
  const [from, until] = [minutesOf(start), minutesOf(end)]
  const isAlways = from % DAY_MINUTES === until % DAY_MINUTES
  return isAlways ? undefined : { from: from % DAY_MINUTES, until, zone: named }
}

function minutesOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  return hour * 60 + minute
}
