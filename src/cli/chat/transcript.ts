// What is seen of a session's events: a model that turns each event into marks for the screen, and remembers what was
// shown, so that a text that comes twice (streamed, then final) or with holes is seen once and whole. Pure; prints nothing.
import type { GatewayEvent } from '../../client/client.ts'
import { type AgentEvent, type ChatEvent, runOfStream } from '../../protocol/events.ts'
import { sanitizeLine } from '../text/sanitize.ts'

export type Mark =
  /** The first that is heard of a run. */
  | { readonly kind: 'begin'; readonly runId: string }
  /** More text of the reply that is open. */
  | { readonly kind: 'append'; readonly text: string }
  /** The text that is open is whole. */
  | { readonly kind: 'break' }
  | { readonly kind: 'tool-start'; readonly callId: string; readonly label: string }
  | { readonly kind: 'tool-end'; readonly callId: string; readonly label: string; readonly isError: boolean }
  | {
      readonly kind: 'notice'
      readonly id: string
      readonly atMs: number
      readonly source: string
      readonly text: string
    }
  | {
      readonly kind: 'ended'
      readonly runId: string
      readonly how: 'ok' | 'stopped' | 'failed'
      readonly note?: string
    }

interface RunShown {
  /** Of the model message that is open. */
  message: string
  /** Of those before it, with and without what an attempt said that was broken off: that may be said again. */
  before: readonly [all: string, whole: string]
  heardAgent: boolean
  readonly tools: Map<string, string>
}

const TOOL_ARGS_SHOWN_MAX = 60
/** Ids of ended runs and shown notices that are remembered. */
const REMEMBERED_MAX = 1_000

export class Transcript {
  readonly #keys: ReadonlySet<string>
  readonly #runs = new Map<string, RunShown>()
  readonly #ended = new Set<string>()
  readonly #notices = new Set<string>()

  /** `keys`: every form in which the session's own key may come. */
  constructor(keys: readonly string[]) {
    this.#keys = new Set(keys.map(key => key.toLowerCase()))
  }

  /** The run that has spoken first of those that have not ended. */
  running(): string | undefined {
    return this.#runs.keys().next().value
  }

  hear(heard: GatewayEvent): Mark[] {
    if (heard.event !== 'agent' && heard.event !== 'chat') return []
    const { sessionKey, session = sessionKey } = heard.payload
    if (typeof session !== 'string' || !this.#keys.has(session.toLowerCase())) return []
    if (heard.event === 'chat' && heard.payload.notice) return this.#hearNotice(heard.payload)
    if (typeof heard.payload.runId !== 'string') return []
    const runId = runOfStream(heard.payload.runId)
    if (this.#ended.has(runId)) return []
    const begun: Mark[] = this.#runs.has(runId) ? [] : [{ kind: 'begin', runId }]
    return [
      ...begun,
      ...(heard.event === 'agent' ? this.#hearAgent(runId, heard.payload) : this.#hearChat(runId, heard.payload)),
    ]
  }

  /** Whether a notice is new; it counts as shown from now on. */
  isNewNotice(id: string): boolean {
    if (this.#notices.has(id)) return false
    remember(this.#notices, id)
    return true
  }

  /** The connection was lost: what was open stays as it is, and whether its runs go on is for the gateway to say. */
  forgetRuns(): Mark[] {
    const marks: Mark[] = this.#runs.size > 0 ? [{ kind: 'break' }] : []
    this.#runs.clear()
    return marks
  }

  /** A run of which something is known before its first event. */
  begin(runId: string): void {
    if (!this.#ended.has(runId)) this.#run(runId)
  }

  end(runId: string): void {
    this.#runs.delete(runId)
    remember(this.#ended, runId)
  }

  #hearNotice({ notice, message }: ChatEvent): Mark[] {
    if (typeof notice?.id !== 'string' || !this.isNewNotice(notice.id)) return []
    return [{ kind: 'notice', id: notice.id, atMs: Number(notice.atMs), source: notice.source, text: textOf(message) }]
  }

  #hearAgent(runId: string, { stream, data }: AgentEvent): Mark[] {
    const fields = fieldsOf(data)
    if (stream === 'lifecycle') return this.#hearLifecycle(runId, fields)
    const run = this.#run(runId)
    if (stream === 'tool') return hearTool(run, fields)
    if (stream !== 'assistant' || typeof fields.text !== 'string') return []
    run.heardAgent = true
    return grow(run, fields.text)
  }

  #hearLifecycle(runId: string, { phase, error }: Record<string, unknown>): Mark[] {
    if (phase === 'start') this.#run(runId)
    if (phase !== 'error') return []
    // The chat event that would tell it too may have been left out for a run that began elsewhere.
    return this.#finish(runId, { how: 'failed', note: typeof error === 'string' ? error : 'The run failed.' })
  }

  #hearChat(runId: string, { state, message, errorMessage, stopReason, resumedAs }: ChatEvent): Mark[] {
    const run = this.#run(runId)
    // It goes on, and says all of its present message anew.
    if (resumedAs !== undefined) return breakOff(run)
    switch (state) {
      case 'delta':
        return run.heardAgent ? [] : grow(run, textOf(message))
      case 'final':
        return [...complete(run, textOf(message)), ...this.#finish(runId, { how: 'ok' })]
      case 'aborted':
        return this.#finish(runId, {
          how: 'stopped',
          note: stopReason === 'timeout' ? 'stopped: it took too long' : 'stopped',
        })
      case 'error':
        return this.#finish(runId, { how: 'failed', note: errorMessage ?? 'The run failed.' })
      default:
        return []
    }
  }

  #finish(runId: string, end: { how: 'ok' | 'stopped' | 'failed'; note?: string }): Mark[] {
    const run = this.#runs.get(runId)
    this.end(runId)
    return [...(run ? breakOff(run) : []), { kind: 'ended', runId, ...end }]
  }

  #run(runId: string): RunShown {
    let run = this.#runs.get(runId)
    if (!run) {
      run = { message: '', before: ['', ''], heardAgent: false, tools: new Map() }
      this.#runs.set(runId, run)
    }
    return run
  }
}

/** What is open ends here; what was said of it stays said. */
function breakOff(run: RunShown): Mark[] {
  const open = [...run.tools]
  run.tools.clear()
  run.before = [run.before[0] + run.message, run.before[1]]
  run.message = ''
  return [
    ...open.map(([callId, label]): Mark => ({ kind: 'tool-end', callId, label, isError: true })),
    { kind: 'break' },
  ]
}

function remember(set: Set<string>, id: string): void {
  set.add(id)
  const [oldest] = set
  if (set.size > REMEMBERED_MAX && oldest !== undefined) set.delete(oldest)
}

function putBefore(run: RunShown): void {
  run.before = [run.before[0] + run.message, run.before[1] + run.message]
  run.message = ''
}

/** Texts are cumulative: one that goes on adds its rest, another begins a new message. */
function grow(run: RunShown, text: string): Mark[] {
  if (text === run.message || run.message.startsWith(text)) return []
  if (text.startsWith(run.message)) {
    const added = text.slice(run.message.length)
    run.message = text
    return [{ kind: 'append', text: added }]
  }
  putBefore(run)
  run.message = text
  return [{ kind: 'break' }, { kind: 'append', text }]
}

/** What the final text has beyond what was streamed; it may be the last message or all of them joined. */
function complete(run: RunShown, final: string): Mark[] {
  const squeeze = (text: string) => text.replace(/\s+/g, '')
  const isSeen = run.before.some(before => squeeze(before + run.message).endsWith(squeeze(final)))
  if (final === '' || isSeen) return []
  return grow(run, final)
}

function hearTool(run: RunShown, { phase, name, toolCallId, args, isError }: Record<string, unknown>): Mark[] {
  if (typeof name !== 'string' || typeof toolCallId !== 'string') return []
  if (phase === 'start') {
    // Told once more after a lost connection.
    if (run.tools.has(toolCallId)) return []
    const label = toolLabel(name, args)
    run.tools.set(toolCallId, label)
    putBefore(run)
    return [{ kind: 'break' }, { kind: 'tool-start', callId: toolCallId, label }]
  }
  if (phase !== 'result') return []
  const label = run.tools.get(toolCallId) ?? sanitizeLine(name)
  run.tools.delete(toolCallId)
  return [{ kind: 'tool-end', callId: toolCallId, label, isError: isError === true }]
}

/** `cron add "stretch"`: the action of a tool is part of its name for people, and what it acts on says most. */
export function toolLabel(name: string, args: unknown): string {
  const { action, ...others } = fieldsOf(args)
  const verb = typeof action === 'string' ? ` ${action}` : ''
  const object = [others.name, fieldsOf(others.job).name, others.jobId, others.id, others.sessionKey]
  const named = object.find(each => typeof each === 'string') ?? (Object.keys(others).length > 0 ? others : undefined)
  const rest = named === undefined ? '' : ` ${JSON.stringify(named)}`
  const shown = rest.length > TOOL_ARGS_SHOWN_MAX ? `${rest.slice(0, TOOL_ARGS_SHOWN_MAX)}…` : rest
  return sanitizeLine(name + verb + shown)
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

export function textOf(message: unknown): string {
  const content = (message as { content?: unknown } | undefined)?.content
  if (!Array.isArray(content)) return ''
  return content.map(part => (part?.type === 'text' && typeof part.text === 'string' ? part.text : '')).join('')
}
