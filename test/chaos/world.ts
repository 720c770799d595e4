// One gateway's life in the chaos run: a folder, a model, people who write and clients who ask, and a process that is
// killed again and again. It draws what is asked and when it dies from its seed, and holds the gateway to each
// acknowledgement after each start. It never touches what the gateway keeps but `starts.json`, for the breaker against
// crash loops has tests of its own.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { nodeClock } from '../../src/base/node/world.ts'
import { connectGateway, type GatewayEvent } from '../../src/client/client.ts'
import { within } from '../e2e/bound.ts'
import { Prng } from '../simulation/prng.ts'
import { type Asked, atAnyTime, type Expected, whenQuiet } from './checks.ts'
import { Evidence, effectsFile } from './evidence.ts'
import { ChaosModel, farJob } from './model.ts'
import { ChaosProcess } from './process.ts'
import { armedFile, type Point, stateDirOf } from './signs.ts'
import { type Asking, ask, type Verb, type Work } from './works.ts'

/** How a gateway dies, in the words of the report. */
export const KILLS = {
  'before-commit': 'between accept and commit',
  'after-commit': 'between commit and answer',
  'mid-stream': 'mid-stream',
  'effect-result': "between a tool's effect and its result",
  'send-mark': 'between send and mark',
  migration: 'during a migration',
  boot: 'while starting',
  random: 'at a random moment',
  resuming: 'at a random moment after a kill',
} as const
export type Kill = keyof typeof KILLS
/** Kills of a gateway on a store of its own schema. */
export type LifeKill = Exclude<Kill, 'migration'>

const TICKER_EVERY_MS = 1_000
const BOUND_MS = 30_000
const SIGNS_MAX = 60
/** Lingers after its effect where a kill is to find it there. */
const SCRIPT = `#!/bin/sh
echo "$2" >> "$1"
[ "$(cat "$3" 2>/dev/null)" = effect ] && exec sleep 2
exit 0
`

export class ChaosWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-chaos-'))
  readonly random: Prng
  readonly findings: string[] = []
  starts = 0
  readonly #entry: string
  readonly #asked: Asked[] = []
  /** Whether a message to a session that talks has a turn of its own, or becomes part of the one that goes on. */
  readonly #queueMode: 'followup' | 'steer'
  readonly #watchers = new Set<() => void>()
  readonly #closers: (() => void)[] = []
  #expected: Omit<Expected, 'asked' | 'interrupted'> = {
    dailyJobId: '',
    tickerJobId: '',
    tickerEveryMs: TICKER_EVERY_MS,
  }
  #model: ChaosModel | undefined
  #gateway: ChaosProcess | undefined
  #asking: Asking | undefined
  #evidence: Evidence | undefined
  #heard: ((event: GatewayEvent) => void) | undefined
  /** Turns that were killed between an effect and its result. */
  readonly #interrupted: string[] = []
  #count = 0
  #totals = { messages: 0, merged: 0, jobs: 0, effects: 0, sends: 0 }

  constructor(entry: string, seed: string) {
    this.#entry = entry
    this.random = new Prng(seed)
    this.#queueMode = this.random.pick(['followup', 'steer'] as const)
  }

  /** Makes the folder and the model; the first start is the first kill's. */
  async open(): Promise<void> {
    const { folder } = this
    mkdirSync(stateDirOf(folder), { mode: 0o700 })
    const script = join(folder, 'effect')
    writeFileSync(script, SCRIPT, { mode: 0o700 })
    this.#model = await ChaosModel.start({ script, file: effectsFile(folder), armed: armedFile(folder) })
    const config = {
      models: { providers: { fake: { baseUrl: this.#model.server.baseUrl } } },
      agents: { defaults: { model: { primary: 'fake/m1' }, userTimezone: 'Europe/Berlin' } },
      tools: { exec: { security: 'allowlist', ask: 'off', allow: [script] } },
      messages: { queue: { mode: this.#queueMode } },
    }
    writeFileSync(join(stateDirOf(folder), 'sluice.json'), JSON.stringify(config))
    const watcher = watch(folder, () => this.#moved())
    const stateWatcher = watch(stateDirOf(folder), () => this.#moved())
    this.#closers.push(
      () => watcher.close(),
      () => stateWatcher.close(),
    )
  }

  async close(): Promise<void> {
    await this.#gateway?.kill().catch(() => undefined)
    for (const close of this.#closers) close()
    await this.#model?.server.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** What was acknowledged so far, and what came of it; read while a gateway stands or after `finish`. */
  totals() {
    return this.#totals
  }

  /** Something happened that can be seen from outside: a commit, a line, an event, a sign. */
  #moved(): void {
    for (const look of [...this.#watchers]) look()
  }

  /** Looks again whenever something was seen to move. */
  async #until(what: string, fits: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = () => {
      // A look that fails is this wait's failure, not that of whatever moved.
      try {
        if (fits()) resolve()
      } catch (error) {
        reject(error)
      }
    }
    this.#watchers.add(look)
    look()
    try {
      await within(promise, () => `${what} in ${this.folder}; ${this.#state()}`, BOUND_MS)
    } finally {
      this.#watchers.delete(look)
    }
  }

  #state(): string {
    const open = this.#evidence?.all(
      "SELECT run_id, state, attempt, losses FROM runs WHERE state IN ('queued', 'running')",
    )
    const sends = this.#evidence?.all("SELECT id, state, due_at_ms FROM sends WHERE state IN ('queued', 'sending')")
    const unacknowledged = this.#asked.filter(({ ack }) => !ack).map(({ work, trouble }) => [work.key, trouble])
    return JSON.stringify({ open, sends, unacknowledged })
  }

  #arm(point: Point | undefined): void {
    if (point) writeFileSync(armedFile(this.folder), point)
    else rmSync(armedFile(this.folder), { force: true })
  }

  #spawn(): ChaosProcess {
    rmSync(join(stateDirOf(this.folder), 'starts.json'), { force: true })
    this.#gateway = new ChaosProcess(this.#entry, this.folder)
    this.#gateway.onSign(() => this.#moved())
    this.starts += 1
    return this.#gateway
  }

  /** Starts a gateway, and a client that asks again for whatever was not acknowledged. */
  async #start(): Promise<void> {
    const gateway = this.#spawn()
    const url = await gateway.started()
    const client = await connectGateway({
      url,
      token: readFileSync(join(stateDirOf(this.folder), 'token'), 'utf8').trim(),
      client: { id: 'test', mode: 'test' },
      clock: nodeClock,
      timeoutMs: BOUND_MS,
      openSocket: address => new WebSocket(address),
    })
    client.onEvent(event => {
      this.#heard?.(event)
      this.#moved()
    })
    this.#evidence = new Evidence(this.folder)
    const call: Asking['client']['call'] = (method, params) => client.call(method, params, { timeoutMs: BOUND_MS })
    this.#asking = { client: { call }, gateway, dailyJobId: this.#expected.dailyJobId }
    if (this.#expected.dailyJobId === '') await this.#firstJobs(this.#asking)
    for (const one of this.#asked) if (!one.ack) this.#ask(one)
  }

  async #firstJobs(asking: Asking): Promise<void> {
    const { call } = asking.client
    const daily = await call('cron.add', { ...farJob('kdaily'), idempotencyKey: 'daily' })
    const ticker = await call('cron.add', {
      ...farJob('ticker'),
      schedule: { kind: 'every', everyMs: TICKER_EVERY_MS },
      payload: { kind: 'message', text: 'tick' },
      idempotencyKey: 'ticker',
    })
    this.#expected = { ...this.#expected, dailyJobId: daily.id, tickerJobId: ticker.id }
    this.#asking = { ...asking, dailyJobId: daily.id }
  }

  /** What dies before it was acknowledged is asked again at the next start. */
  #ask(one: Asked): void {
    const { work } = one
    void ask(work, this.#asking as Asking).then(
      ack => {
        one.ack = ack
        if (ack.refused !== undefined) this.findings.push(`${work.key} was refused: ${ack.refused}`)
        this.#moved()
      },
      error => {
        one.trouble = String(error)
      },
    )
  }

  /** Asks for something new. */
  #add(work: (key: string) => Work): string {
    this.#count += 1
    const key = `k${this.#count}`
    const one: Asked = { work: work(key) }
    this.#asked.push(one)
    this.#ask(one)
    return key
  }

  #check(quiet: boolean): void {
    const evidence = this.#evidence as Evidence
    const expected: Expected = { ...this.#expected, asked: this.#asked, interrupted: this.#interrupted }
    this.findings.push(...atAnyTime(evidence, expected))
    this.#totals = {
      messages: this.#asked.filter(({ work, ack }) => ack && 'verb' in work).length,
      merged: evidence.number('SELECT count(*) FROM runs WHERE merged_into IS NOT NULL'),
      jobs: this.#asked.filter(({ work, ack }) => ack && !('verb' in work)).length,
      effects: evidence.effects().length,
      sends: evidence.sends().length,
    }
    if (quiet) this.findings.push(...whenQuiet(evidence, expected))
  }

  /** All is acknowledged, and nothing is left to be done. */
  #isQuiet(): boolean {
    return this.#asked.every(({ ack }) => ack) && (this.#evidence as Evidence).quiet()
  }

  async #settle(): Promise<void> {
    await this.#until('the work comes to rest', () => this.#isQuiet())
    this.#check(true)
  }

  async #kill(): Promise<void> {
    this.#evidence?.close()
    this.#evidence = undefined
    this.#heard = undefined
    const gateway = this.#gateway as ChaosProcess
    this.#gateway = undefined
    await gateway.kill()
    this.#arm(undefined)
  }

  /** One start, what becomes of it, and its death. */
  async round(kill: LifeKill): Promise<void> {
    if (kill === 'boot') {
      this.#arm('boot')
      await this.#spawn().reached('boot')
      await this.#kill()
      return
    }
    await this.#start()
    if (kill === 'resuming') this.#check(false)
    else await this.#settle()
    for (let more = this.random.int(3, 8); more > 0; more -= 1) this.#add(key => this.#draw(key))
    await this.#reach(kill)
    await this.#kill()
  }

  #draw(key: string): Work {
    const { random } = this
    const verb = random.weighted<Verb>({ say: 5, effect: 3, job: 2 })
    const kind = random.weighted<Work['kind']>({ chat: 6, inbound: 5, 'far-job': 2, 'one-shot': 2, 'manual-run': 2 })
    switch (kind) {
      case 'chat':
        return { key, kind, verb, session: `s${random.int(1, 4)}` }
      case 'inbound':
        return { key, kind, verb, channel: random.pick(['dedupes', 'plain'] as const), chatId: `c${random.int(1, 3)}` }
      case 'one-shot':
        return {
          key,
          kind,
          atMs: Date.now() + random.int(0, 150),
          payload: random.pick(['message', 'agentTurn'] as const),
        }
      default:
        return { key, kind }
    }
  }

  /** Brings the gateway to where it is to die. */
  async #reach(kill: Exclude<LifeKill, 'boot'>): Promise<void> {
    const gateway = this.#gateway as ChaosProcess
    const { random } = this
    switch (kill) {
      case 'before-commit':
      case 'after-commit':
        await this.#signs(random.int(0, 10))
        this.#arm(kill)
        this.#add(key => ({ key, kind: 'chat', session: 'accepted', verb: 'say' }))
        return await gateway.reached(kill)
      case 'mid-stream':
        return await this.#streaming()
      case 'effect-result': {
        this.#arm('effect')
        const key = this.#add(key => ({ key, kind: 'chat', session: `of-${key}`, verb: 'effect' }))
        this.#interrupted.push(key)
        return await this.#until(`the effect of ${key}`, () => this.#evidence?.effects().includes(`${key}:a`) ?? false)
      }
      case 'send-mark': {
        const channel = random.pick(['dedupes', 'plain'] as const)
        this.#arm(`before-mark:${channel}`)
        this.#add(key => ({ key, kind: 'inbound', channel, chatId: `of-${key}`, verb: 'say' }))
        return await gateway.reached(`before-mark:${channel}`)
      }
      default:
        return await this.#signs(random.int(0, SIGNS_MAX))
    }
  }

  /** Resolves when so many things were seen to happen, or nothing is left to happen. */
  async #signs(count: number): Promise<void> {
    let left = count
    await this.#until(`${count} signs`, () => {
      left -= 1
      return left < 0 || this.#isQuiet()
    })
  }

  async #streaming(): Promise<void> {
    let key = ''
    let isHalf = false
    this.#heard = ({ event, payload }) => {
      if (event === 'chat' && payload.runId === key && payload.state === 'delta') isHalf = true
    }
    key = this.#add(key => {
      this.#model?.hold(key)
      return { key, kind: 'chat', session: `of-${key}`, verb: 'say' }
    })
    await this.#until(`half an answer to ${key}`, () => isHalf)
  }

  /** A last start without a kill: all comes to rest, all holds, and the clean stop leaves the folder free. */
  async finish(): Promise<void> {
    await this.#start()
    await this.#settle()
    const sound = this.#evidence?.sound()
    if (sound !== 'ok') this.findings.push(`the store is damaged: ${sound}`)
    this.#evidence?.close()
    this.#evidence = undefined
    const gateway = this.#gateway as ChaosProcess
    this.#gateway = undefined
    await gateway.stop()
  }

  /** Takes over a store of an older schema: what it holds counts as acknowledged. */
  inherit(asked: readonly Asked[]): void {
    this.#asked.push(...asked)
  }

  /** A start on that store, and its death in the middle of the upgrade. */
  async upgradeRound(): Promise<void> {
    const point = this.random.pick(['copying', 'trying', 'migrating', 'numbered'] as const)
    this.#arm(point)
    await this.#spawn().reached(point)
    await this.#kill()
  }
}
