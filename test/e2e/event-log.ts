// What a client has heard, in order, and a way to await what it will hear: no test sleeps or polls.
import type { GatewayEvent } from '../../src/client/client.ts'
import { type ChatEvent, type CronEvent, runOfStream } from '../../src/protocol/events.ts'
import { within } from './bound.ts'

export class EventLog {
  readonly all: GatewayEvent[] = []
  readonly #waiting = new Set<() => void>()

  take(event: GatewayEvent): void {
    this.all.push(event)
    for (const look of this.#waiting) look()
  }

  /** The first event that fits, heard already or still to come. */
  async until(what: string, fits: (event: GatewayEvent) => boolean): Promise<GatewayEvent> {
    const { promise, resolve } = Promise.withResolvers<GatewayEvent>()
    let next = 0
    const look = () => {
      const found = this.all.slice(next).find(fits)
      next = this.all.length
      if (found) resolve(found)
    }
    this.#waiting.add(look)
    look()
    try {
      return await within(promise, () => `${what}; heard last: ${this.all.slice(-30).map(shown).join(', ')}`)
    } finally {
      this.#waiting.delete(look)
    }
  }

  /** The end of a run: final, aborted or error; that an attempt of it was broken off is none. */
  async ended(runId: string): Promise<ChatEvent> {
    const isEnd = ({ event, payload }: GatewayEvent) =>
      event === 'chat' &&
      runOfStream(payload.runId) === runId &&
      payload.state !== 'delta' &&
      payload.resumedAs === undefined
    return (await this.until(`the end of run ${runId}`, isEnd)).payload as ChatEvent
  }

  async cron(jobId: string, action: CronEvent['action']): Promise<CronEvent> {
    const isIt = ({ event, payload }: GatewayEvent) =>
      event === 'cron' && payload.jobId === jobId && payload.action === action
    return (await this.until(`cron ${action} of ${jobId}`, isIt)).payload as CronEvent
  }

  /** A text that was told to a session, such as a reminder. */
  async notice(text: string): Promise<ChatEvent> {
    const isIt = ({ event, payload }: GatewayEvent) =>
      event === 'chat' && payload.notice !== undefined && textOf(payload).includes(text)
    return (await this.until(`the notice "${text}"`, isIt)).payload as ChatEvent
  }

  chats(runId: string): ChatEvent[] {
    return this.all.flatMap(({ event, payload }) => (event === 'chat' && payload.runId === runId ? [payload] : []))
  }
}

export function textOf(event: Pick<ChatEvent, 'message'>): string {
  return event.message?.content.map(part => part.text).join('') ?? ''
}

function shown({ event, payload }: GatewayEvent): string {
  const { runId, state, jobId, action } = payload as Record<string, unknown>
  return [event, runId ?? jobId, state ?? action].filter(Boolean).join(' ')
}
