// What turns may use of models: tokens and money for one turn, and for a session, a job and all of them in one day. Asked
// before each request; a cap that is reached is told as a sentence with what to do, and the turn ends there. A day is the
// calendar's in the user's zone. What a provider did not tell and what has no price cannot be counted.
import { dayOf, dayStart } from '../base/days.ts'
import { formatInstant } from '../base/zoned-time.ts'
import { OFFLINE_REF } from '../providers/choice.ts'
import type { StoreReads } from '../store/port.ts'
import { type RunRow, type RunRules, usageScopes } from '../store/rows.ts'

interface Cap {
  readonly tokens: number | undefined
  readonly usd: number | undefined
}

export interface Caps {
  readonly turn: Cap
  readonly session: Cap
  readonly job: Cap
  readonly day: Cap
}

export interface CapsQuestion {
  readonly read: Pick<StoreReads, 'usage'>
  readonly caps: Caps
  readonly run: Pick<RunRow, 'runId' | 'sessionKey' | 'jobId'> & { readonly rules?: RunRules | undefined }
  /** Ref of the model that is about to be asked. */
  readonly model: string
  readonly zone: string
  readonly nowMs: number
}

const MICRO = 1_000_000

/** Why the model must not be asked now; undefined: it may. The built-in model costs nothing. */
export function capReached(question: CapsQuestion): string | undefined {
  const { caps, run, model, zone, nowMs } = question
  if (model === OFFLINE_REF) return undefined
  const scopes = usageScopes(run)
  const today = dayOf(nowMs, zone)
  const frees = `It frees at ${formatInstant(dayStart(nowMs, zone, 1), zone)}; to`
  const turn = { who: 'this turn', scope: scopes.run, fromDay: '' }
  const job = { who: 'this job today', scope: scopes.job, fromDay: today, wayOut: frees }
  const checks = [
    { ...turn, ...ofJob(run, 'run'), wayOut: 'To' },
    { ...job, ...ofJob(run, 'day') },
    { ...turn, ...ofConfig(caps, 'turn'), wayOut: 'Send a message to go on in a new turn; to' },
    { who: 'this session today', scope: scopes.session, fromDay: today, ...ofConfig(caps, 'session'), wayOut: frees },
    { ...job, ...ofConfig(caps, 'job') },
    { who: 'all turns today', scope: scopes.all, fromDay: today, ...ofConfig(caps, 'day'), wayOut: frees },
  ]
  for (const { cap, key, raise, who, scope, fromDay, wayOut } of checks) {
    const over = scope === undefined ? undefined : overOf(question.read, cap, { scope, fromDay })
    if (!over) continue
    return `Paused: ${who} used ${over.used}, and ${key[over.unit]} allows ${over.allowed}. ${wayOut} go on at once, ${raise}.`
  }
  return undefined
}

function ofConfig(caps: Caps, name: keyof Caps) {
  const key = { tokens: `models.caps.${name}.tokens`, usd: `models.caps.${name}.usd` }
  return { cap: caps[name], key, raise: 'raise that key in the config' }
}

/** What a job allows its runs; it can be less than the config allows, and never more. */
function ofJob({ jobId, rules }: CapsQuestion['run'], span: 'run' | 'day') {
  const cap = { tokens: rules?.budget?.[`${span}Tokens`], usd: rules?.budget?.[`${span}Usd`] }
  const key = { tokens: `policy.budget.${span}Tokens of its job`, usd: `policy.budget.${span}Usd of its job` }
  return { cap, key, raise: `raise that with sluice cron edit ${jobId}` }
}

function overOf(read: CapsQuestion['read'], cap: Cap, where: { scope: string; fromDay: string }) {
  if (cap.tokens === undefined && cap.usd === undefined) return undefined
  let tokens = 0
  let microUsd = 0
  for (const row of read.usage({ ...where, by: 'model' })) {
    tokens += row.inputTokens + row.outputTokens
    microUsd += row.costMicroUsd
  }
  if (cap.tokens !== undefined && tokens >= cap.tokens) {
    return { unit: 'tokens' as const, used: `${tokens} tokens`, allowed: String(cap.tokens) }
  }
  if (cap.usd === undefined || microUsd < cap.usd * MICRO) return undefined
  return { unit: 'usd' as const, used: `${(microUsd / MICRO).toFixed(2)} US dollars`, allowed: String(cap.usd) }
}
