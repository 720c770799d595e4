// The Telegram channel over a Bot API that is a script: real HTTP on loopback, time and randomness by the test.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ChannelState, InboundMessage, Press } from '../../src/channels/port.ts'
import { type Telegram, type TelegramOptions, telegram } from '../../src/channels/telegram/telegram.ts'
import { FakeClock } from '../fakes/clock.ts'
import { BotApi, SECRET_HEADER } from '../fakes/telegram/bot-api.ts'

export const never = new AbortController().signal
export const SECRET = 'a-secret_of-ours'

export interface Opened {
  readonly api: BotApi
  /** The channel's; the service has one of its own, which stands still. */
  readonly clock: FakeClock
  readonly channel: Telegram
  readonly states: ChannelState[]
  readonly taken: InboundMessage[]
  readonly presses: Press[]
  readonly logged: string[]
  readonly start: () => Promise<void>
  /** Lets time pass until this holds. */
  readonly passUntil: (holds: () => boolean, what: string) => Promise<void>
  readonly close: () => Promise<void>
}

export interface OpenOptions extends Partial<TelegramOptions> {
  readonly api?: BotApi
  readonly inbound?: (message: InboundMessage) => Promise<void>
  readonly pressed?: (press: Press) => Promise<string | undefined>
}

export async function open({ api: given, inbound, pressed, ...options }: OpenOptions = {}): Promise<Opened> {
  const clock = new FakeClock()
  // The service holds a poll by a clock of its own, which stands still.
  const api = given ?? new BotApi({ clock: new FakeClock() })
  await api.up()
  const logged: string[] = []
  const channel = telegram({
    ...{ token: api.token, apiRoot: api.apiRoot, fetch, clock },
    random: { uuid: () => 'u', hex: bytes => '8'.repeat(bytes * 2) },
    log: (_, message) => void logged.push(message),
    ...options,
  })
  const [states, taken, presses]: [ChannelState[], InboundMessage[], Press[]] = [[], [], []]
  const handlers = {
    inbound: async (message: InboundMessage) => {
      await inbound?.(message)
      taken.push(message)
    },
    pressed: async (press: Press) => {
      const note = await pressed?.(press)
      presses.push(press)
      return note
    },
    state: (state: ChannelState) => void states.push(state),
    commands: [{ name: 'status', description: 'How it is' }],
  }
  return {
    ...{ api, clock, channel, states, taken, presses, logged },
    start: async () => await channel.start(handlers),
    passUntil: async (holds, what) => {
      let isOver = false
      const wait = api.until(holds, `${what}; states ${JSON.stringify(states)}; ${logged.join('; ')}`).finally(() => {
        isOver = true
      })
      const pass = async () => {
        while (!isOver) await clock.advance(100).then(() => api.look())
      }
      await Promise.all([wait, pass()])
    },
    close: async () => {
      await channel.stop()
      await api.down()
    },
  }
}

/** Serves the channel's webhook as a transport would. */
export async function serveWebhook(): Promise<{ url: string; mount(channel: Telegram): void; close(): void }> {
  let mounted: Telegram | undefined
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const update: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    const secret = request.headers[SECRET_HEADER] as string | undefined
    const { status } = (await mounted?.webhook({ secret, update })) ?? { status: 404 }
    response.writeHead(status).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    mount: channel => {
      mounted = channel
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
