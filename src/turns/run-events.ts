// The events of one run as clients know them: numbered per run, in the caller's form of the session key. Deltas are
// gathered so that a fast model does not flood anyone; what is durable is made here and published by the store.
import type { Clock, Timer } from '../base/world.ts'
import { type AgentEvent, CHAT_DELTA_INTERVAL_MS, type ChatEvent, chatMessage, streamId } from '../protocol/events.ts'
import { isAck } from '../protocol/heartbeat.ts'
import type { LiveRunSnapshot } from '../protocol/methods/events.ts'
import type { DurableEvent } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'

/** Text is gathered for so long, and longer where many speak: all of them together are told about so often. */
const DELTA_INTERVAL_MS = 40
const DELTAS_PER_MS_MAX = 2

/** Hands an event that is not durable to whoever listens. */
export type Publish = (event: DurableEvent & { readonly droppable?: boolean }) => void

/** The runs of a gateway that have text to tell. */
export class Speaking {
  count = 0

  /** How long one that begins to gather now may take. */
  get intervalMs(): number {
    const shareMs = this.count / DELTAS_PER_MS_MAX
    return Math.min(CHAT_DELTA_INTERVAL_MS, Math.max(DELTA_INTERVAL_MS, shareMs))
  }
}

export interface RunEventsParts {
  readonly clock: Clock
  readonly publish: Publish
  readonly speaking: Speaking
}

/** Nobody knows how far a lost attempt had counted. */
const SEQ_LAST = 2 ** 31 - 1
export class RunEvents {
  readonly #run: RunRow
  /** The id under which this attempt is told. */
  readonly #id: string
  readonly #clock: Clock
  readonly #publish: Publish
  readonly #speaking: Speaking
  #seq = 0
  /** Text of the present message, and of the ones before it. */
  #text = ''
  #before = ''
  #unsent = ''
  #timer: Timer | undefined
  #startedAt = 0
  readonly #tools = new Map<string, LiveRunSnapshot['tools'][number]>()
  #chatAt = Number.NEGATIVE_INFINITY

  constructor(run: RunRow, { clock, publish, speaking }: RunEventsParts) {
    this.#run = run
    this.#id = streamId(run)
    this.#clock = clock
    this.#publish = publish
    this.#speaking = speaking
  }

  /** The run as somebody sees it who comes to it now. */
  snapshot(): LiveRunSnapshot {
    const { echoKey, sessionKey } = this.#run
    const about = { runId: this.#id, sessionKey: echoKey, session: sessionKey, startedAt: this.#startedAt }
    return { ...about, text: this.#text, tools: [...this.#tools.values()] }
  }

  started(startedAt: number): DurableEvent[] {
    this.#startedAt = startedAt
    return [...this.#brokenOff(startedAt), this.#agent({ stream: 'lifecycle', data: { phase: 'start', startedAt } })]
  }

  /** The stream of the attempt before this one ends: nothing more comes under its id. */
  #brokenOff(ts: number): DurableEvent[] {
    const { runId, attempt, echoKey, sessionKey } = this.#run
    if (attempt < 2) return []
    const before = { runId: streamId({ runId, attempt: attempt - 1 }), sessionKey: echoKey, session: sessionKey }
    const end: AgentEvent = {
      ...before,
      seq: SEQ_LAST,
      ts,
      stream: 'lifecycle',
      data: { phase: 'end', endedAt: ts, aborted: true },
    }
    const chat: ChatEvent = { ...before, seq: SEQ_LAST, state: 'aborted', stopReason: 'stop', resumedAs: this.#id }
    return [
      { event: 'agent', payload: end },
      { event: 'chat', payload: chat },
    ]
  }

  delta(text: string): void {
    this.#text += text
    this.#unsent += text
    if (this.#timer) return
    this.#timer = this.#clock.after(this.#speaking.intervalMs, () => this.flush())
    this.#speaking.count += 1
  }

  flush(): void {
    if (!this.#timer) return
    this.#timer.cancel()
    this.#timer = undefined
    this.#speaking.count -= 1
    if (this.#unsent === '') return
    const delta = this.#unsent
    this.#unsent = ''
    const data = { text: this.#text, delta }
    this.#publish({ ...this.#agent({ stream: 'assistant', data }), droppable: true })
    // A chat shows what a heartbeat says once it is known that it says something.
    if (this.#run.source === 'heartbeat') return
    const now = this.#clock.monotonic()
    if (now - this.#chatAt < CHAT_DELTA_INTERVAL_MS) return
    this.#chatAt = now
    const message = chatMessage('assistant', this.#before + this.#text, this.#clock.now())
    this.#publish({ ...this.#chat({ state: 'delta', message }), droppable: true })
  }

  /** Another model is asked from here on. */
  switched(model: string, because: string): DurableEvent[] {
    return [this.#agent({ stream: 'model', data: { phase: 'switched', model, because } })]
  }

  /** A message is whole: what follows is a new one. */
  messageEnded(): void {
    this.flush()
    if (this.#text !== '') this.#before += `${this.#text}\n\n`
    this.#text = ''
  }

  /** A summary of the transcript begins or has ended; said to who watches now, and to nobody later. */
  compacting(phase: 'start' | 'end'): void {
    const data = phase === 'start' ? { phase } : { phase, willRetry: false }
    this.#publish({ ...this.#agent({ stream: 'compaction', data }), droppable: true })
  }

  toolStarted(call: { id: string; name: string; args: unknown }): void {
    const tool = { name: call.name, toolCallId: call.id, args: call.args }
    this.#tools.set(call.id, tool)
    const data = { phase: 'start', ...tool } as const
    this.#publish(this.#agent({ stream: 'tool', data }))
  }

  toolEnded(call: { id: string; name: string }, result: { text: string; isError: boolean }): DurableEvent[] {
    this.#tools.delete(call.id)
    const data = {
      phase: 'result',
      name: call.name,
      toolCallId: call.id,
      isError: result.isError,
      result: { content: [{ type: 'text', text: result.text }] },
    } as const
    return [this.#agent({ stream: 'tool', data })]
  }

  ended(end: {
    state: RunRow['state']
    reply: string
    error?: string
    stopReason?: ChatEvent['stopReason']
  }): DurableEvent[] {
    this.flush()
    const endedAt = this.#clock.now()
    const isSilent = end.reply === '' || (this.#run.source === 'heartbeat' && isAck(end.reply))
    const message = isSilent ? {} : { message: chatMessage('assistant', end.reply, endedAt) }
    if (end.state === 'ok') {
      return [
        this.#agent({ stream: 'lifecycle', data: { phase: 'end', endedAt } }),
        this.#chat({ state: 'final', ...message }),
      ]
    }
    if (end.state === 'aborted') {
      return [
        this.#agent({ stream: 'lifecycle', data: { phase: 'end', endedAt, aborted: true } }),
        this.#chat({ state: 'aborted', stopReason: end.stopReason ?? 'rpc', ...message }),
      ]
    }
    const error = end.error ?? 'the turn failed'
    return [
      this.#agent({ stream: 'lifecycle', data: { phase: 'error', error, endedAt } }),
      this.#chat({ state: 'error', errorMessage: error }),
    ]
  }

  #agent(part: Pick<AgentEvent, 'stream' | 'data'>): { event: string; payload: AgentEvent } {
    this.#seq += 1
    const { echoKey, sessionKey } = this.#run
    return {
      event: 'agent',
      payload: {
        runId: this.#id,
        seq: this.#seq,
        ts: this.#clock.now(),
        sessionKey: echoKey,
        session: sessionKey,
        ...part,
      },
    }
  }

  #chat(part: Omit<ChatEvent, 'runId' | 'sessionKey' | 'session' | 'seq'>): { event: string; payload: ChatEvent } {
    this.#seq += 1
    const { echoKey, sessionKey } = this.#run
    return {
      event: 'chat',
      payload: { runId: this.#id, sessionKey: echoKey, session: sessionKey, seq: this.#seq, ...part },
    }
  }
}
