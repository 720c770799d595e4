// Telegram, by its Bot API: the channel port over grammY's calls. It polls, or is handed what a webhook brings. It decides
// nothing; while the network or the service is away it tries again ever more slowly, and says so by its state.
import type { Update, UserFromGetMe } from 'grammy/types'
import { MINUTE, SECOND } from '../../base/durations.ts'
import { pause } from '../../base/pause.ts'
import { isSameSecret } from '../../base/same-secret.ts'
import type { Random } from '../../base/world.ts'
import { type Capabilities, type Channel, ChannelError, type ChannelHandlers, type ChannelState } from '../port.ts'
import { FILES, fileOf } from './files.ts'
import { Intake } from './intake.ts'
import { isConflict, isUnknownToken, poll, WINDOW } from './poll.ts'
import { edit, react, send, TEXT_LENGTH_MAX, typing } from './sending.ts'
import { callSignal, type Service, type ServiceOptions, serviceOf } from './service.ts'
import { type Reading, read, telegramMessageId, UPDATES } from './updates.ts'

const BACKOFF_MS_MIN = SECOND
const BACKOFF_MS_MAX = MINUTE
/** What only its owner can put right: what to do, and how seldom it is looked at again. */
const UNKNOWN_TOKEN = {
  error: 'Telegram does not know this token. Ask @BotFather for the right one, and put it into the config.',
  pauseMs: 10 * MINUTE,
}
const OTHER_POLLER = {
  error: "Another program takes this bot's messages: stop it, or give this gateway a bot of its own.",
  pauseMs: 30 * SECOND,
}
/** How often Telegram is asked whether its posts reach the webhook. */
const HOOK_CHECK_MS = MINUTE
const HOOK_TAKEN = new ChannelError('transient', OTHER_POLLER.error)
/** A start waits so long to hear whether the token is right. */
const START_TIMEOUT_MS = 5 * SECOND
/** Words shown in passing after a press. */
const NOTE_LENGTH_MAX = 200
/** The service takes one edit in a chat about so often; of a group, 20 messages and edits in a minute. */
const EDIT_INTERVAL_MS = 1_500
const GROUP_EDIT_INTERVAL_MS = 4 * SECOND

const CAPABILITIES: Capabilities = {
  dedupesSends: false,
  textLengthMax: TEXT_LENGTH_MAX,
  edits: { intervalMs: EDIT_INTERVAL_MS, groupIntervalMs: GROUP_EDIT_INTERVAL_MS },
  buttons: { actionBytesMax: 64 },
  files: FILES,
  typing: true,
  reactions: true,
}

export interface TelegramOptions extends ServiceOptions {
  readonly id?: string
  /** Absent: it polls. `url`: where the service reaches `Telegram.webhook`. `secret`: 1-256 of A-Z a-z 0-9 _ -. */
  readonly webhook?: { readonly url: string; readonly secret: string } | undefined
  readonly random: Random
  readonly log: (level: 'info' | 'warn', message: string) => void
}

interface WebhookRequest {
  /** The header `x-telegram-bot-api-secret-token`. */
  readonly secret: string | undefined
  /** The body, parsed. */
  readonly update: unknown
}

export interface Telegram extends Channel {
  /** Answers what the service posts: 200 once it is on disk, 401 without the secret, else 503 and it is posted again. */
  webhook(request: WebhookRequest): Promise<{ readonly status: 200 | 400 | 401 | 503 }>
}

export function telegram(options: TelegramOptions): Telegram {
  const service = serviceOf(options)
  const truthful = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call()
    } catch (thrown) {
      throw service.failure(thrown)
    }
  }
  const line = new Line(options, service)
  return {
    id: line.id,
    capabilities: CAPABILITIES,
    start: async handlers => await line.start(handlers),
    stop: async () => line.stop(),
    webhook: async request => await line.webhook(request),
    send: async (message, signal) =>
      await truthful(async () => ({ id: String(await send(service, message, callSignal(signal))) })),
    edit: async (message, signal) => {
      await truthful(() => edit(service, message, callSignal(signal))).catch((error: ChannelError) => {
        // Nothing is shown twice by an edit, so it may be tried again whatever became of it.
        throw error.kind === 'unconfirmed' ? new ChannelError('transient', error.message) : error
      })
    },
    typing: async (chatId, signal) => await truthful(() => typing(service, chatId, callSignal(signal))),
    react: async ({ chatId, messageId, sign }) => {
      const target = { chatId, messageId: telegramMessageId(messageId), sign }
      await truthful(() => service.bounded(signal => react(service, target, signal)))
    },
  }
}

/** Whose a token is: the bot's handle. Rejects with ChannelError, `permanent` where Telegram does not know the token. */
export async function accountOf(options: ServiceOptions): Promise<string> {
  const { api, bounded, failure } = serviceOf(options)
  try {
    return (await bounded(over => api.getMe(over), { timeoutMs: START_TIMEOUT_MS })).username
  } catch (thrown) {
    throw isUnknownToken(thrown) ? new ChannelError('permanent', UNKNOWN_TOKEN.error) : failure(thrown)
  }
}

/** The way in: from the first word of the service until the stop. */
class Line {
  readonly id: string
  readonly #options: TelegramOptions
  readonly #service: Service
  readonly #stop = new AbortController()
  #state: ChannelState = { phase: 'starting' }
  #handlers: ChannelHandlers | undefined
  #me: UserFromGetMe | undefined
  #intake: Intake | undefined
  /** When the webhook was set, or an update last taken by it. */
  #hookedAtMs = 0

  constructor(options: TelegramOptions, service: Service) {
    this.id = options.id ?? 'telegram'
    this.#options = options
    this.#service = service
  }

  async start(handlers: ChannelHandlers): Promise<void> {
    this.#handlers = handlers
    handlers.state(this.#state)
    try {
      await this.#meet(START_TIMEOUT_MS)
    } catch (thrown) {
      if (isUnknownToken(thrown)) {
        this.#failed(thrown)
        throw new ChannelError('permanent', UNKNOWN_TOKEN.error)
      }
    }
    void this.#run()
  }

  stop(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#tell({ phase: 'stopped' })
  }

  async webhook({ secret, update }: WebhookRequest): Promise<{ status: 200 | 400 | 401 | 503 }> {
    const expected = this.#options.webhook?.secret
    if (expected === undefined || secret === undefined || !isSameSecret(secret, expected)) return { status: 401 }
    if (!isUpdate(update)) return { status: 400 }
    const intake = this.#intake
    if (!intake || this.#stop.signal.aborted || intake.underWay >= WINDOW) return { status: 503 }
    try {
      await intake.once(update)
      this.#hookedAtMs = this.#options.clock.now()
      return { status: 200 }
    } catch (error) {
      this.#options.log('warn', `${this.id}: an update was not taken, and will be posted again: ${String(error)}`)
      return { status: 503 }
    }
  }

  /** Never rejects: every failure is a state and a pause. */
  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { clock, random } = this.#options
    let failures = 0
    const alive = () => {
      failures = 0
      this.#tell({ phase: 'running' })
    }
    while (!signal.aborted) {
      try {
        await this.#live(alive)
        return
      } catch (thrown) {
        if (signal.aborted) return
        const { retryAfterMs = 0 } = this.#failed(thrown)
        const backoffMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** failures)
        const leastMs = ownersTask(thrown)?.pauseMs ?? backoffMs
        failures = Math.min(failures + 1, 10)
        // Up to half as long again, so that those who were cut off together do not come back together.
        const jitter = 1 + Number.parseInt(random.hex(2), 16) / 0x20000
        await pause(clock, Math.max(retryAfterMs, leastMs * jitter), signal)
      }
    }
  }

  async #live(alive: () => void): Promise<void> {
    const { webhook, clock } = this.#options
    const { api, bounded } = this.#service
    const { signal } = this.#stop
    const intake = this.#open(await this.#meet())
    if (!webhook) {
      await bounded(over => api.deleteWebhook({}, over), { signal })
      await this.#offer()
      await poll({ service: this.#service, clock, intake, signal, alive })
      return
    }
    const { url, secret } = webhook
    const hook = { url, secret_token: secret, allowed_updates: [...UPDATES] }
    await bounded(over => api.setWebhook(hook, over), { signal })
    this.#hookedAtMs = clock.now()
    await this.#offer()
    for (; !signal.aborted; await pause(clock, HOOK_CHECK_MS, signal)) await this.#checkHook(url, alive)
  }

  /** Telegram alone knows whether its posts arrive. Rejects where they go elsewhere. */
  async #checkHook(url: string, alive: () => void): Promise<void> {
    const { api, bounded } = this.#service
    const hook = await bounded(over => api.getWebhookInfo(over), { signal: this.#stop.signal })
    if (!URL.canParse(hook.url ?? '') || new URL(hook.url ?? '').href !== new URL(url).href) throw HOOK_TAKEN
    const { pending_update_count: waiting, last_error_date: failedAt = 0, last_error_message: words } = hook
    if (waiting === 0 || failedAt * SECOND < this.#hookedAtMs) return alive()
    this.#tell({
      phase: 'offline',
      error: `Telegram does not get through to webhookUrl: ${words}. Waiting there: ${waiting}.`,
    })
  }

  async #meet(timeoutMs?: number): Promise<UserFromGetMe> {
    const { api, bounded } = this.#service
    const { signal } = this.#stop
    this.#me ??= await bounded(over => api.getMe(over), { signal, ...(timeoutMs && { timeoutMs }) })
    return this.#me
  }

  /** The same for the life of the channel: what is under way stays so when the network was away. */
  #open(me: UserFromGetMe): Intake {
    const { clock, log } = this.#options
    const commands = (this.#handlers?.commands ?? []).map(({ name }) => name)
    const reader = {
      channelId: this.id,
      me,
      commands,
      fileOf: fileOf.bind(undefined, this.#service),
      albums: new Set<string>(),
    }
    this.#intake ??= new Intake({
      ...{ clock, signal: this.#stop.signal },
      read: update => read(update, reader),
      handOn: reading => this.#handOn(reading),
      log: (level, message) => log(level, `${this.id}: ${message}`),
    })
    return this.#intake
  }

  async #handOn(reading: Reading): Promise<void> {
    const { inbound, pressed } = this.#handlers as ChannelHandlers
    if (reading.kind === 'message') return await inbound(reading.message)
    const { pressId } = reading.press
    const note = await pressed(reading.press)
    const { api, bounded } = this.#service
    const answer = { callback_query_id: pressId, ...(note !== undefined && { text: note.slice(0, NOTE_LENGTH_MAX) }) }
    // A courtesy, for which the press does not wait: it ends the button's spinning.
    void bounded(over => api.answerCallbackQuery(answer, over)).catch(this.#complain('a press was not answered'))
  }

  async #offer(): Promise<void> {
    const { api, bounded } = this.#service
    const commands = (this.#handlers?.commands ?? []).map(({ name, description }) => ({ command: name, description }))
    const { signal } = this.#stop
    const set = bounded(over => api.setMyCommands({ commands }, over), { signal })
    await set.catch(this.#complain('its commands are not shown'))
  }

  #complain(what: string): (thrown: unknown) => void {
    return thrown => {
      if (this.#stop.signal.aborted) return
      this.#options.log('warn', `${this.id}: ${what}: ${this.#service.failure(thrown).message}`)
    }
  }

  #failed(thrown: unknown): ChannelError {
    const failure = this.#service.failure(thrown)
    const task = ownersTask(thrown)
    this.#tell(task ? { phase: 'failed', error: task.error } : { phase: 'offline', error: failure.message })
    return failure
  }

  #tell(state: ChannelState): void {
    const { phase, error, account } = this.#state
    const told = { ...state, ...(this.#me && { account: this.#me.username }) }
    if (told.phase === phase && told.error === error && told.account === account) return
    this.#state = told
    this.#handlers?.state(told)
  }
}

function ownersTask(thrown: unknown): { readonly error: string; readonly pauseMs: number } | undefined {
  if (isUnknownToken(thrown)) return UNKNOWN_TOKEN
  return thrown === HOOK_TAKEN || isConflict(thrown) ? OTHER_POLLER : undefined
}

function isUpdate(value: unknown): value is Update {
  return typeof value === 'object' && value !== null && typeof (value as { update_id?: unknown }).update_id === 'number'
}
