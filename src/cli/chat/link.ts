// A connection that lasts: lost, it is made again, after 0.5 s, 1 s, up to 10 s, until it is stopped. It says when it is gone and when it is
// back; what was under way then is for its holder to ask again, with the same keys. Events that were missed come first.
import { SECOND } from '../../base/durations.ts'
import { asSluiceError, SluiceError } from '../../base/errors.ts'
import type { Timer, World } from '../../base/world.ts'
import type { Closed } from '../../client/calls.ts'
import type { GatewayClient, GatewayEvent } from '../../client/client.ts'
import { Replay } from '../../client/replay.ts'
import type { AgentEvent } from '../../protocol/events.ts'
import type { LiveRunSnapshot } from '../../protocol/methods/events.ts'

const RETRY_MS_MIN = SECOND / 2
const RETRY_MS_MAX = 10 * SECOND

export interface LinkListener {
  event(event: GatewayEvent): void
  /** Lost, or not found again: why, in a sentence, and after how long it is tried again. */
  down(why: string, retryMs: number): void
  /** Found again; what was missed follows. */
  up(): void
  /** What was missed cannot be told, and is to be read anew. */
  tooOld(): void
}

export class LastingLink {
  readonly #connect: () => Promise<GatewayClient>
  readonly #clock: World['clock']
  readonly #listener: LinkListener
  readonly #replay: Replay
  #client: GatewayClient | undefined
  #retry: Timer | undefined
  #retryMs = RETRY_MS_MIN
  #stopped = false
  #wasLost = false
  /** What the gateway said before it closed the connection. */
  #parting: string | undefined

  constructor(connect: () => Promise<GatewayClient>, clock: World['clock'], listener: LinkListener) {
    this.#connect = connect
    this.#clock = clock
    this.#listener = listener
    this.#replay = new Replay({
      event: event => listener.event(event),
      caughtUp: live => this.#tellLive(live),
      tooOld: live => {
        // Before the first connection nothing was shown that could have holes.
        if (this.#wasLost) listener.tooOld()
        this.#tellLive(live)
      },
    })
  }

  /** The first connection; that it fails is the caller's to tell. */
  async start(): Promise<GatewayClient> {
    const client = await this.#connect()
    this.#adopt(client)
    return client
  }

  get isUp(): boolean {
    return this.#client !== undefined
  }

  /** Calls over the connection of now; without one it fails at once. */
  get call(): GatewayClient['call'] {
    const client = this.#client
    if (client) return (method, params, options) => client.call(method, params, options)
    return method =>
      Promise.reject(
        new SluiceError('UNAVAILABLE', `No connection to the gateway; ${method} was not sent.`, {
          outcome: 'not-started',
          details: { closeCode: 0 },
        }),
      )
  }

  stop(): void {
    this.#stopped = true
    this.#retry?.cancel()
    this.#client?.close()
  }

  #adopt(client: GatewayClient): void {
    this.#client = client
    this.#retryMs = RETRY_MS_MIN
    this.#parting = undefined
    client.onEvent(event => {
      if (event.event === 'shutdown') this.#parting = partingOf(event.payload)
    })
    this.#replay.follow(client)
    client.closed.then(closed => this.#lose(client, closed)).catch(() => undefined)
  }

  #lose(client: GatewayClient, { code, reason }: Closed): void {
    if (this.#client !== client) return
    this.#client = undefined
    if (!this.#stopped)
      this.#tryLater(this.#parting ?? `The connection to the gateway was lost: ${reason || `code ${code}`}`)
  }

  #tryLater(why: string): void {
    this.#wasLost = true
    const retryMs = this.#retryMs
    this.#retryMs = Math.min(RETRY_MS_MAX, retryMs * 2)
    this.#listener.down(why, retryMs)
    this.#retry = this.#clock.after(retryMs, () => void this.#again())
  }

  async #again(): Promise<void> {
    try {
      const client = await this.#connect()
      if (this.#stopped) {
        client.close()
        return
      }
      this.#adopt(client)
    } catch (error) {
      if (!this.#stopped) this.#tryLater(asSluiceError(error).message)
      return
    }
    this.#listener.up()
  }

  /** What runs have said and begun meanwhile, in the form in which they would have said it. */
  #tellLive(live: readonly LiveRunSnapshot[]): void {
    for (const { runId, sessionKey, session, startedAt: ts, text, tools } of live) {
      const about = { runId, sessionKey, session, ts, seq: 0 }
      const tell = (payload: Pick<AgentEvent, 'stream' | 'data'>) =>
        this.#listener.event({ event: 'agent', payload: { ...about, ...payload } })
      if (text !== '') tell({ stream: 'assistant', data: { text, delta: text } })
      for (const tool of tools) tell({ stream: 'tool', data: { phase: 'start', ...tool } })
    }
  }
}

function partingOf(shutdown: { readonly reason?: string; readonly restartExpectedMs?: unknown }): string {
  return typeof shutdown.restartExpectedMs === 'number' ? 'The gateway restarts…' : 'The gateway was stopped.'
}

/** Whether a call failed because its connection did, so that it may be asked again with the same key. */
export function isConnectionLoss(error: SluiceError): boolean {
  return error.code === 'UNAVAILABLE' && error.details?.closeCode !== undefined
}
