// What is said of a job beside its schema when it is made or changed: that a turn gives it no tool that it has not itself,
// where its result will go, and what would make its runs fail as things stand. Only the first refuses; the config may
// still learn a model or a channel before the job is due.
import { asSluiceError, SluiceError } from '../base/errors.ts'
import { modelsFor } from '../config/agents.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Job, JobDelivery } from '../protocol/job.ts'
import { chooseModel, type ModelsConfig } from '../providers/choice.ts'
import { THINKING } from '../providers/model.ts'
import { type Target, targetOf, type Whereabouts } from '../scheduler/delivery-target.ts'
import { canonicalSession, MAIN_KEY } from '../sessions/session-key.ts'
import type { Toolbox } from '../tools/toolbox.ts'
import { whyNoCommand } from './agent-tools.ts'
import { isAgent } from './agents.ts'
import type { MethodParts } from './parts.ts'

/** The job's agent, or the default one when that is gone. */
function agentOf({ settings }: MethodParts, { agentId }: Job): string {
  return agentId !== undefined && isAgent(settings(), agentId) ? agentId : settings().defaultAgent
}

/** What any turn of the job's agent has. */
function toolsOf(parts: MethodParts, job: Job): Toolbox {
  const agentId = agentOf(parts, job)
  return parts.outside.toolboxOf({ sessionKey: canonicalSession(MAIN_KEY, agentId).key, agentId })
}

/** The job with the tools that the turn which makes or changes it has itself. Throws FORBIDDEN for others. */
export function withToolsOf(parts: MethodParts, job: Job, { caller }: { readonly caller: Caller }): Job {
  const { payload } = job
  const maker = caller.turn
  if (payload.kind !== 'agentTurn' || !maker) return job
  const there = toolsOf(parts, job)
  const { sessionKey, runId } = maker
  const rules = parts.store.read.run(runId)?.rules
  const held = parts.outside.toolboxOf({ sessionKey, agentId: maker.agentId, rules })
  const beyond = payload.tools?.find(name => !held.has(name))
  if (beyond !== undefined) {
    const message = `payload.tools: this turn has no tool "${beyond}", so a job that it makes or changes cannot have it. It has ${held.names.join(', ')}.`
    throw new SluiceError('FORBIDDEN', message, { outcome: 'not-started' })
  }
  const isLimited = there.names.some(name => !held.has(name))
  return payload.tools || !isLimited ? job : { ...job, payload: { ...payload, tools: [...held.names] } }
}

/** Throws FORBIDDEN where a command of a job is not for the caller, or not for this config. */
export function checkCommands({ settings }: MethodParts, jobs: readonly Job[], { turn }: Caller): void {
  if (!jobs.some(runsCommand)) return
  const why = turn
    ? 'A turn may not make or change jobs that run commands (payload.kind "command", when). The person may, on the command line (sluice cron add --command), where cron.commands is "operator"'
    : settings().jobCommands === 'off' &&
      'Jobs may run no commands here: cron.commands is off. Set it to "operator" (sluice config set cron.commands operator) to allow those of operators'
  if (why) throw new SluiceError('FORBIDDEN', `${why}. Nothing was changed.`, { outcome: 'not-started' })
}

function runsCommand({ payload, when }: Job): boolean {
  return payload.kind === 'command' || when !== undefined
}

/** What would make its runs fail as things stand. */
export function warningsOf(parts: MethodParts, job: Job): { warnings?: string[] } {
  const noCommand = runsCommand(job) ? whyNoCommand(parts.settings(), toolsOf(parts, job)) : undefined
  const commands = noCommand === undefined ? [] : [`command: ${noCommand}; each run fails`]
  const warnings = [...commands, ...modelWarnings(parts, job), ...targetWarnings(job, targetNow(parts, job))]
  return warnings.length > 0 ? { warnings } : {}
}

function targetNow(parts: MethodParts, job: Job): Target {
  return jobTarget(parts, job, job.sessionKey ?? canonicalSession(MAIN_KEY, agentOf(parts, job)).key)
}

/** `sessionKey` is the session that hears of the job. */
export function jobTarget(
  { store, channels }: Pick<MethodParts, 'store' | 'channels'>,
  job: Job,
  sessionKey: string,
): Target {
  return targetOf(job.payload, whereaboutsOf({ store, channels }, sessionKey))
}

export function whereaboutsOf(
  { store, channels }: Pick<MethodParts, 'store' | 'channels'>,
  sessionKey: string,
): Whereabouts {
  return {
    sessionKey,
    route: store.read.route(sessionKey),
    channels: channels.map(({ id, capabilities }) => ({ id, textLengthMax: capabilities.textLengthMax })),
  }
}

/** Where its result goes as things stand. */
export function deliveryOf(parts: MethodParts, job: Job): JobDelivery {
  const target = targetNow(parts, job)
  switch (target.kind) {
    case 'none':
    case 'missing':
      return { to: target.kind }
    case 'chat':
      return { to: 'chat', channel: target.route.channelId, chat: target.route.chatId }
    case 'session': {
      const { sessionKey, route } = target
      return { to: 'session', sessionKey, ...(route && { channel: route.channelId, chat: route.chatId }) }
    }
  }
}

function targetWarnings({ payload }: Job, target: Target): string[] {
  if (target.kind !== 'missing') return []
  const best = 'bestEffortDeliver' in payload && payload.bestEffortDeliver === true
  const then = best ? 'its session is told the result instead' : 'each run fails until it can be reached'
  return [`delivery: ${target.why}; ${then}. Leave out channel and to, and the session that made the job is told.`]
}

function modelWarnings(parts: MethodParts, job: Job): string[] {
  const { payload } = job
  if (payload.kind !== 'agentTurn') return []
  const { model, fallbacks = [], thinking, tools = [] } = payload
  const there = tools.length > 0 ? toolsOf(parts, job) : undefined
  const unknown = tools.filter(name => !there?.has(name))
  const refs = [
    ['payload.model', model],
    ...fallbacks.map((ref, index) => [`payload.fallbacks[${index}]`, ref]),
  ] as const
  return [
    ...unknown.map(name => `payload.tools: there is no tool "${name}" here; there are ${there?.names.join(', ')}`),
    ...refs.flatMap(([path, ref]) =>
      ref === undefined ? [] : unknownModel(modelsFor(parts.settings(), agentOf(parts, job)), path as string, ref),
    ),
    ...(thinking === undefined || THINKING.some(word => word === thinking)
      ? []
      : [`payload.thinking: "${thinking}" says nothing here; the words are ${THINKING.join(', ')}`]),
  ]
}

function unknownModel(models: ModelsConfig, path: string, ref: string): string[] {
  try {
    chooseModel(models, ref)
    return []
  } catch (error) {
    return [`${path}: ${asSluiceError(error).message}; each run fails until it is there`]
  }
}
