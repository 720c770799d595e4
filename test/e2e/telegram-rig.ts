// A real gateway with a Telegram channel before a Bot API that is a script, and a model that is scripted per chat. What
// its people see is the measure; the test awaits that, and events of the Bot API, of the model and of the gateway.
import type { Result } from '../../src/protocol/catalogue.ts'
import { BotApi } from '../fakes/telegram/bot-api.ts'
import type { Shown } from '../fakes/telegram/chats.ts'
import { type GatewayOptions, type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts'

/** The session of a chat; groups have negative numbers. */
export const sessionOf = (chatId: number) => `agent:main:telegram:${chatId < 0 ? 'group:' : ''}${chatId}`

type Account = Result<'channels.status'>['channelAccounts'][string][number]

export interface RigOptions {
  /** Of `channels.telegram`, beside token and address. */
  readonly telegram?: object
  readonly defaults?: object
  readonly config?: object
  readonly gateway?: GatewayOptions
}

export class TelegramRig {
  readonly scope = new Scope()
  readonly api = new BotApi()
  #model: ScriptedModel | undefined
  #gateway: GatewayProcess | undefined
  #client: TestClient | undefined

  async open({ telegram = {}, defaults = {}, config = {}, gateway = {} }: RigOptions = {}): Promise<void> {
    await this.api.up()
    this.scope.onEnd(() => this.api.down())
    const model = await startScriptedModel()
    this.#model = model
    this.scope.onEnd(() => model.server.close())
    const whole = { ...config, ...model.config(defaults), channels: { telegram: this.telegram(telegram) } }
    this.#gateway = await this.scope.gateway({ ...gateway, config: whole })
    this.#client = await this.#gateway.client()
  }

  /** The config of a channel of this bot: streaming is off, so that each answer is one message. */
  telegram(more: object): object {
    return { botToken: this.api.token, apiRoot: this.api.apiRoot, streamMode: 'off', dmPolicy: 'open', ...more }
  }

  close(): Promise<void> {
    return this.scope.end()
  }

  get model(): ScriptedModel {
    return this.#model as ScriptedModel
  }
  get gateway(): GatewayProcess {
    return this.#gateway as GatewayProcess
  }
  get client(): TestClient {
    return this.#client as TestClient
  }

  /** As by power loss, and the next start. */
  async diesAndStarts(): Promise<void> {
    await this.gateway.kill()
    await this.gateway.start()
    this.#client = await this.gateway.client()
  }

  texts(chatId: number): string[] {
    return this.api.seen(chatId).map(({ text }) => text)
  }

  /** The message of a chat that says this, once it is there. */
  async told(chatId: number, words: RegExp): Promise<Shown> {
    const found = () => this.api.seen(chatId).find(({ text }) => words.test(text))
    await this.api.until(() => found() !== undefined, `${words} in chat ${chatId}`)
    return found() as Shown
  }

  /** Resolves once the gateway has an update on disk and has said so. */
  async taken({ updateId }: { readonly updateId: number }): Promise<void> {
    await this.api.until(() => !this.api.unconfirmed.includes(updateId), `update ${updateId} to be confirmed`)
  }

  /** How the channel of a gateway fares, once it fares so; looked at whenever the gateway says that something changed. */
  async fares(fits: (account: Account) => boolean, { events, call }: TestClient = this.client): Promise<Account> {
    const told = () => events.all.filter(({ event }) => (event as string) === 'health').length
    for (;;) {
      const before = told()
      const [account] = (await call('channels.status', {})).channelAccounts.telegram ?? []
      if (account && fits(account)) return account
      await events.until(`telegram to fare otherwise than ${JSON.stringify(account)}`, () => told() > before)
    }
  }
}
