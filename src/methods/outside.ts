// Handlers for what other programs set going: a hook's turn, which has a session of its own and takes no place of the
// scheduler, and one tool called without a turn. A tool is called with the caller's own authority, never a turn's.
import { SluiceError } from '../base/errors.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { chooseModel } from '../providers/choice.ts'
import { canonicalSession, MAIN_KEY } from '../sessions/session-key.ts'
import type { NewNotice, RunEnd } from '../store/port.ts'
import { type RunRow, replyIds } from '../store/rows.ts'
import type { ToolContext } from '../tools/tool.ts'
import { sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'
import { accept } from './runs.ts'

const SECOND_MS = 1_000
const HOOK_NAME = 'Hook'
/** Whoever may call a tool from outside need not be able to change this machine or the gateway with it. */
const NOT_FROM_OUTSIDE: ReadonlySet<string> = new Set([
  'exec',
  'process',
  'read',
  'write',
  'edit',
  'apply_patch',
  'gateway',
])

export function outsideHandlers(parts: MethodParts): Pick<Handlers, 'hooks.agent' | 'tools.invoke'> {
  return {
    'hooks.agent': call => hookTurn(parts, call),
    'tools.invoke': call => invokeTool(parts, call),
  }
}

async function hookTurn(parts: MethodParts, call: Call<'hooks.agent'>): Promise<Result<'hooks.agent'>> {
  const { random, settings } = parts
  const { message, name = HOOK_NAME, model, timeoutSeconds, deliver, agentId } = call.params
  // Refused here, or the turn would fail by it when nobody looks.
  if (model !== undefined) chooseModel(settings().models, model)
  const session = sessionNamed(parts, call.params.sessionKey ?? `hook:${random.uuid()}`, { agentId })
  const input = {
    runId: call.key ? `hook:${call.key.principal}:${call.key.key}` : `hook:${random.uuid()}`,
    ...{ sessionKey: session.key, echoKey: session.key, agentId: session.agentId, source: 'hook' as const },
    text: `[hook ${name}] ${message}`,
    // What a hook is told of is told under its name; without one nobody is told.
    ...(deliver !== false && { label: name }),
    ...(model !== undefined && { model }),
    ...(timeoutSeconds !== undefined && { timeoutMs: timeoutSeconds * SECOND_MS }),
  }
  const { run } = await accept(parts, input, { caller: call.caller, key: call.key, signal: call.signal })
  return { runId: run.runId, sessionKey: run.sessionKey }
}

/** What is told of a turn that another program asked for, beside the answer to it. */
export function outsideNotice(run: RunRow, end: RunEnd, nowMs: number): NewNotice | undefined {
  if (run.source === 'hook') return hookNotice(run, end, nowMs)
  const to = run.rules?.deliverTo
  if (!to || end.state !== 'ok' || !end.reply?.trim()) return undefined
  const { runId, sessionKey, agentId } = run
  return { id: replyIds(runId).reply, sessionKey, agentId, text: end.reply, source: 'gateway', atMs: nowMs, to }
}

/** What the main session is told of a hook's turn; nothing of one that somebody stopped. */
function hookNotice(run: RunRow, end: RunEnd, nowMs: number): NewNotice | undefined {
  const { label, agentId, runId } = run
  if (label === undefined || end.state === 'aborted') return undefined
  const said = end.state === 'ok' ? end.reply?.trim() : `failed: ${end.error ?? end.state}`
  if (!said) return undefined
  const { key } = canonicalSession(MAIN_KEY, agentId)
  const text = label === HOOK_NAME ? `${HOOK_NAME}: ${said}` : `${HOOK_NAME} ${label}: ${said}`
  return { id: runId, sessionKey: key, agentId, text, source: 'gateway', atMs: nowMs }
}

async function invokeTool(parts: MethodParts, call: Call<'tools.invoke'>): Promise<Result<'tools.invoke'>> {
  const { tool, action, args = {}, sessionKey } = call.params
  const session = sessionNamed(parts, sessionKey ?? MAIN_KEY, call)
  const toolbox = parts.outside.toolboxOf({ sessionKey: session.key, agentId: session.agentId })
  if (NOT_FROM_OUTSIDE.has(tool) || !toolbox.has(tool)) {
    throw new SluiceError('NOT_FOUND', `Tool not available: ${tool}`, { outcome: 'not-started' })
  }
  const { context, refused } = contextOf(parts, call, session)
  const named = action === undefined ? args : { ...args, action }
  const { text, isError } = await toolbox.run({ name: tool, args: named }, context)
  const reused = refused()
  if (reused) throw reused
  return { content: [{ type: 'text', text }], details: dataOf(text), isError }
}

/**
 * Each call of the tool has a key of the request's, so that a repeat is answered as the first time (T1). `refused`: that
 * the key was used for something else, which a tool's result would only tell in words.
 */
function contextOf(
  parts: MethodParts,
  call: Call<'tools.invoke'>,
  session: { readonly key: string; readonly agentId: string },
): { context: ToolContext; refused: () => SluiceError | undefined } {
  const { caller, signal, key, wait } = call
  let calls = 0
  let refused: SluiceError | undefined
  const context: ToolContext = {
    call: async (method, params) => {
      calls += 1
      const own = key && `${key.key}:${calls}`
      const answer = parts.outside.call(method, params, { caller, signal, ...(own && { key: own }) })
      return (await answer.catch(error => {
        if (own && error instanceof SluiceError && error.details?.key === own) refused = error
        throw error
      })) as never
    },
    ...{ sessionKey: session.key, agentId: session.agentId, zone: parts.settings().zone, signal },
    outside: wait,
    cause: () => {
      throw notInTurn('start a process')
    },
    approve: () => Promise.reject(notInTurn('ask a person')),
  }
  return { context, refused: () => refused }
}

function notInTurn(what: string): SluiceError {
  return new SluiceError('FORBIDDEN', `A tool that is called without a turn cannot ${what}.`, {
    outcome: 'not-started',
  })
}

/** A result that was cut is text alone. */
function dataOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
