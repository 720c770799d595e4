// A real gateway in a process of its own, in a state folder of its own, with a client and the real CLI beside it. It ends
// only what it started, and nothing it started outlives the test process.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { nodeClock } from '../../src/base/node/world.ts'
import { connectGateway, type GatewayClient, type GatewayEvent } from '../../src/client/client.ts'
import type { MethodName, ParamsInput, Result } from '../../src/protocol/catalogue.ts'
import { BOUND_MS, within } from './bound.ts'
import { EventLog } from './event-log.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/sluice', import.meta.url))

/** From its address to the last line of what it says at start, the command for a chat. */
const STARTED = /listening on (wss?:\/\/[\w.:]+)[\s\S]*sluice chat\n/

export interface GatewayOptions {
  /** An object is written as JSON, a text as it is; none: no config file. */
  readonly config?: object | string
  readonly env?: Readonly<Record<string, string>>
  /** Use this state folder, which stays; default: a new one, removed at the end. */
  readonly stateDir?: string
  readonly port?: number
  /** No file may grow beyond: as a full disk, for this process alone. */
  readonly fileKbMax?: number
  /** A command that runs the gateway and its CLI, as one in a network namespace. */
  readonly under?: readonly string[]
}

/** How a process ended, and all it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface TestClient {
  readonly client: GatewayClient
  readonly events: EventLog
  call<M extends MethodName>(method: M, params: ParamsInput<M>): Promise<Result<M>>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

interface Surroundings {
  readonly env: Readonly<Record<string, string>>
  readonly fileKbMax?: number | undefined
  readonly under?: readonly string[] | undefined
  /** What it reads; absent: nothing is there to read. */
  readonly input?: string | undefined
}

/** A process of ours: what it says, line by line, and how it ends. */
class Process {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #waiting = new Set<() => void>()

  constructor(args: readonly string[], { env, fileKbMax, under = [], input }: Surroundings) {
    const limited = ['-c', `ulimit -f ${2 * (fileKbMax ?? 0)} && exec "$0" "$@"`, LAUNCHER, ...args]
    const [command = LAUNCHER, ...words] = [
      ...under,
      ...(fileKbMax === undefined ? [LAUNCHER, ...args] : ['/bin/sh', ...limited]),
    ]
    const stdin = input === undefined ? 'ignore' : 'pipe'
    this.child = spawn(command, words, { env, cwd: tmpdir(), stdio: [stdin, 'pipe', 'pipe'] })
    this.child.stdin?.end(input)
    running.add(this.child)
    const heard = (write: (text: string) => void) => (chunk: Buffer) => {
      write(chunk.toString('utf8'))
      for (const look of this.#waiting) look()
    }
    this.child.stdout?.on(
      'data',
      heard(text => (this.stdout += text)),
    )
    this.child.stderr?.on(
      'data',
      heard(text => (this.stderr += text)),
    )
    const { promise, resolve, reject } = Promise.withResolvers<Ended>()
    this.child.on('error', reject)
    this.child.on('close', (code, signal) => {
      running.delete(this.child)
      resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
    })
    this.ended = promise
  }

  /** The match in what it said from there on, or undefined when it ended without saying it. */
  async says(pattern: RegExp, from = 0): Promise<RegExpExecArray | undefined> {
    const { promise, resolve } = Promise.withResolvers<RegExpExecArray>()
    const found = () => pattern.exec(this.stdout.slice(from))
    const look = () => {
      const match = found()
      if (match) resolve(match)
    }
    this.#waiting.add(look)
    look()
    try {
      const heard = Promise.race([promise, this.ended.then(() => found() ?? undefined)])
      return await within(heard, () => `${pattern} in:\n${this.stdout}\n${this.stderr}`)
    } finally {
      this.#waiting.delete(look)
    }
  }
}

/** All that a test started, so that it can be ended together. */
export class Scope {
  readonly #ends: (() => Promise<void> | void)[] = []

  /** Ends later what was begun; last begun, first ended. */
  onEnd(end: () => Promise<void> | void): void {
    this.#ends.push(end)
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
  }

  stateDir(): string {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-e2e-'))
    this.onEnd(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  /** A gateway that has started. */
  async gateway(options: GatewayOptions = {}): Promise<GatewayProcess> {
    const gateway = new GatewayProcess(options.stateDir ?? this.stateDir(), options)
    this.onEnd(() => gateway.kill())
    await gateway.start()
    return gateway
  }

  /** The end of a gateway that refuses to start. */
  async refusedStart(options: GatewayOptions = {}): Promise<Ended> {
    const gateway = new GatewayProcess(options.stateDir ?? this.stateDir(), options)
    this.onEnd(() => gateway.kill())
    return await gateway.refused()
  }
}

export class GatewayProcess {
  readonly stateDir: string
  readonly #options: GatewayOptions
  readonly #clients = new Set<GatewayClient>()
  #process: Process | undefined
  #url = ''
  /** Up to where what it says was read. */
  #heard = 0

  constructor(stateDir: string, options: GatewayOptions) {
    this.stateDir = stateDir
    this.#options = options
    if (options.config !== undefined) {
      const { config } = options
      writeFileSync(join(stateDir, 'sluice.json'), typeof config === 'string' ? config : JSON.stringify(config))
    }
  }

  /** Of the present process. */
  get url(): string {
    return this.#url
  }

  get port(): number {
    return Number(new URL(this.#url).port)
  }

  get token(): string {
    return readFileSync(join(this.stateDir, 'token'), 'utf8').trim()
  }

  get output(): string {
    return `${this.#process?.stdout}${this.#process?.stderr}`
  }

  async start(changed: Pick<GatewayOptions, 'fileKbMax'> = this.#options): Promise<void> {
    this.#process = this.#spawned(changed.fileKbMax)
    this.#heard = 0
    await this.#started(this.#process)
  }

  /** Resolves once it has restarted by itself: the same process, perhaps at another port. Its clients are gone. */
  async restarted(): Promise<void> {
    await this.#started(this.#process as Process)
  }

  async refused(): Promise<Ended> {
    this.#process = this.#spawned(this.#options.fileKbMax)
    const match = await this.#process.says(STARTED)
    if (match) throw new Error(`the gateway started all the same:\n${this.#process.stdout}`)
    return await this.#process.ended
  }

  /** Nobody reads what it says any more, as when the other end of its pipe is gone. */
  unread(): void {
    this.#process?.child.stdout?.destroy()
    this.#process?.child.stderr?.destroy()
  }

  /** Ctrl-C, and the clean end that must follow. */
  async stop(): Promise<Ended> {
    const ended = await this.#end('SIGINT')
    if (ended.code !== 0) throw new Error(`the gateway did not end cleanly:\n${JSON.stringify(ended, null, 2)}`)
    return ended
  }

  /** As by power loss. Nothing happens when it has ended already. */
  async kill(): Promise<void> {
    if (this.#process) await this.#end('SIGKILL')
  }

  async client(options: { token?: string } = {}): Promise<TestClient> {
    const client = await connectGateway({
      url: this.#url,
      token: options.token ?? this.token,
      client: { id: 'test', mode: 'test' },
      clock: nodeClock,
      timeoutMs: BOUND_MS,
      openSocket: url => new WebSocket(url),
    })
    const events = new EventLog()
    client.onEvent((event: GatewayEvent) => events.take(event))
    this.#clients.add(client)
    return { client, events, call: (method, params) => client.call(method, params, { timeoutMs: BOUND_MS }) }
  }

  /** The real CLI, which finds this gateway by its environment. */
  async cli(
    args: readonly string[],
    options: { env?: Readonly<Record<string, string>>; input?: string } = {},
  ): Promise<Ended> {
    const env = { ...this.#env(), SLUICE_GATEWAY_PORT: String(this.port), NO_COLOR: '1', ...options.env }
    const { ended } = new Process(args, { env, under: this.#options.under, input: options.input })
    return await within(ended, `sluice ${args.join(' ')}`)
  }

  /** Its log so far; whole after `stop`. */
  log(): Readonly<Record<string, unknown>>[] {
    const text = readFileSync(join(this.stateDir, 'logs/gateway.log'), 'utf8')
    return text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line)]))
  }

  #env(): Record<string, string> {
    const { PATH = '' } = process.env
    // HOME is the state folder too, so that nothing can reach the real one.
    return { PATH, HOME: this.stateDir, TZ: 'Europe/Berlin', SLUICE_STATE_DIR: this.stateDir, ...this.#options.env }
  }

  async #started(starting: Process): Promise<void> {
    const match = await starting.says(STARTED, this.#heard)
    if (!match) throw new Error(`the gateway did not start:\n${JSON.stringify(await starting.ended, null, 2)}`)
    this.#heard += match.index + match[0].length
    this.#url = match[1] as string
  }

  #spawned(fileKbMax: number | undefined): Process {
    const args = ['gateway', '--port', String(this.#options.port ?? 0)]
    return new Process(args, { env: this.#env(), fileKbMax, under: this.#options.under })
  }

  async #end(signal: NodeJS.Signals): Promise<Ended> {
    const ending = this.#process as Process
    ending.child.kill(signal)
    const ended = await within(ending.ended, `the end of the gateway after ${signal}`)
    for (const client of this.#clients) client.close()
    this.#clients.clear()
    return ended
  }
}
