// How a job's payload becomes work: a run with its input, or a text told to a session. Pure.
import { withoutUndefined } from '../base/without-undefined.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Job } from '../protocol/job.ts'
import { policyOf } from '../protocol/job-policy.ts'
import type { NewNotice, RunEnd } from '../store/port.ts'
import type { RunRow, RunRules } from '../store/rows.ts'
import { commandOf, commandRun, firstCommand, withOutput } from './commands.ts'
import type { Target } from './delivery-target.ts'
import { overlapRule } from './overlap.ts'
import type { JobPlan } from './scheduler.ts'

export interface PlanContext {
  readonly zone: string
  readonly defaultAgentId: string
  readonly isAgent: (agentId: string) => boolean
  /** Whose a session is. */
  readonly agentOf: (sessionKey: string) => string
  /** The main session of an agent. */
  readonly mainSession: (agentId: string) => string
  readonly jobSession: (agentId: string, jobId: string) => string
  /** Where a job's result goes now. */
  readonly targetOf: (job: Job) => Target
}

/** What a command that came first wrote; without it such a command is what is planned. */
export interface Occasion {
  readonly atMs: number
  readonly runId: string
  readonly output?: string
}

export function planJob(job: Job, occurrence: Occasion, context: PlanContext): JobPlan {
  const plan = workOf(job, occurrence, context)
  // A job that no chat made has none of its own but the one that its results go to.
  const hasTarget = job.sessionKey === undefined && 'to' in job.payload
  const target = hasTarget ? context.targetOf(job) : undefined
  return target?.kind === 'chat' ? { ...plan, alertTo: target.route } : plan
}

function workOf(job: Job, occurrence: Occasion, context: PlanContext): JobPlan {
  const agentId = job.agentId ?? context.defaultAgentId
  const listener = listenerOf(job, context)
  const isThere = context.isAgent(agentId)
  const command = isThere && occurrence.output === undefined ? firstCommand(job) : commandOf(job)
  if (isThere && command) {
    const common = {
      runId: occurrence.runId,
      agentId,
      sessionKey: ownSession(job, { ...occurrence, agentId }, context),
    }
    return { listener, run: commandRun(job, command, common) }
  }
  // Nobody would tell a text in the name of an agent that is gone: its run fails, and says why.
  const payload = isThere && job.payload.kind !== 'command' ? job.payload : goneTurn(job)
  return planWork({ job, payload, listener, agentId }, occurrence, context)
}

interface Work {
  readonly job: Job
  readonly payload: Exclude<Job['payload'], { kind: 'command' }>
  readonly listener: string
  readonly agentId: string
}

function planWork({ job, payload, listener, agentId }: Work, occurrence: Occasion, context: PlanContext): JobPlan {
  const stamp = formatInstant(Math.floor(occurrence.atMs / 1000) * 1000, context.zone)
  const rules = rulesOf(job)
  const common = { runId: occurrence.runId, agentId, jobId: job.id, ...(rules && { rules }) }
  const { output = '' } = occurrence
  switch (payload.kind) {
    case 'message':
      return {
        listener,
        notice: {
          id: occurrence.runId,
          sessionKey: listener,
          agentId,
          text: payload.text,
          source: 'job',
          jobId: job.id,
          atMs: occurrence.atMs,
        },
      }
    case 'systemEvent':
      return {
        listener,
        run: {
          ...common,
          agentId: context.agentOf(listener),
          sessionKey: listener,
          echoKey: listener,
          text: withOutput(`System: [${stamp}] ${payload.text}`, output),
          source: 'event',
        },
      }
    case 'agentTurn': {
      const sessionKey = ownSession(job, { ...occurrence, agentId }, context)
      return {
        listener,
        run: {
          ...common,
          sessionKey,
          echoKey: sessionKey,
          text: withOutput(`[cron:${job.id} ${job.name}] ${payload.message}\nCurrent time: ${stamp}`, output),
          source: 'job',
          freshSession: true,
          ...(payload.model !== undefined && { model: payload.model }),
          ...(payload.timeoutSeconds !== undefined && { timeoutMs: payload.timeoutSeconds * 1000 }),
        },
      }
    }
  }
}

/** Two runs of one session wait for each other; those that need not have sessions of their own. */
function ownSession(job: Job, { agentId, runId }: { agentId: string; runId: string }, context: PlanContext): string {
  const own = context.jobSession(agentId, job.id)
  return overlapRule(policyOf(job).overlap).apart ? `${own}:${runId.toLowerCase()}` : own
}

/** As the job says it when it falls due; what is said later is for the next run. */
function rulesOf({ payload, policy }: Job): RunRules | undefined {
  const { budget } = policyOf({ policy })
  const { fallbacks, thinking, tools } = payload.kind === 'agentTurn' ? payload : {}
  const rules = withoutUndefined({ fallbacks, thinking, tools, budget })
  return Object.keys(rules).length === 0 ? undefined : rules
}

/** The session that hears of a job: the one that made it, else its agent's main session; that of an agent that is there. */
export function listenerOf(job: Job, context: PlanContext): string {
  const { defaultAgentId, isAgent, agentOf, mainSession } = context
  if (job.sessionKey !== undefined && isAgent(agentOf(job.sessionKey))) return job.sessionKey
  const agentId = job.agentId ?? defaultAgentId
  return mainSession(isAgent(agentId) ? agentId : defaultAgentId)
}

function goneTurn({ payload }: Job): Extract<Job['payload'], { kind: 'agentTurn' }> {
  if (payload.kind === 'agentTurn') return payload
  return { kind: 'agentTurn', message: payload.kind === 'command' ? JSON.stringify(payload.argv) : payload.text }
}

/** Of failures its listener is told by the ledger, once for all that follow each other. */
function resultText({ state, reply = '' }: RunEnd): string | undefined {
  const text = reply.trim()
  return state !== 'ok' || text === '' || /^\W*HEARTBEAT_OK\W*$/.test(text) ? undefined : text
}

/** A run whose result cannot go where its job wants it has failed, and says so; what it said is kept with it. */
export function withDelivery<E extends RunEnd>(job: Job, end: E, { targetOf }: PlanContext): E {
  const { payload } = job
  const hasTarget = payload.kind === 'agentTurn' || payload.kind === 'command'
  const isDue = resultText(end) !== undefined && hasTarget && !payload.bestEffortDeliver
  if (!isDue) return end
  const target = targetOf(job)
  if (target.kind !== 'missing') return end
  const error = `its result could not be delivered: ${target.why}. Change where it goes: sluice cron edit ${job.id}`
  return { ...end, state: 'failed', failure: 'permanent', error }
}

/** What an isolated job that went well tells its listener; a reply that is only HEARTBEAT_OK is kept to itself. */
export function resultNotice(
  job: Job,
  run: RunRow,
  ended: { end: RunEnd; nowMs: number; context: PlanContext },
): NewNotice | undefined {
  const { end, nowMs, context } = ended
  const reply = resultText(end)
  if (reply === undefined) return undefined
  const target = context.targetOf(job)
  if (target.kind === 'none') return undefined
  const prefix = job.isolation?.postToMainPrefix
  return {
    id: run.runId,
    ...(target.kind === 'chat' && { to: target.route }),
    sessionKey: listenerOf(job, context),
    agentId: run.agentId,
    text: prefix ? `${prefix}: ${reply}` : reply,
    source: 'job',
    jobId: job.id,
    atMs: nowMs,
  }
}
