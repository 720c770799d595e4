// The bundle as users run it, in processes of its own: copied to where a package manager would put it (with `src/`
// beside it for a clone), started on a state folder, measured from outside and stopped.
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { nodeClock } from '../src/base/node/world.ts'
import { connectGateway, type GatewayClient } from '../src/client/client.ts'
import { temporaryFolder } from './state.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const START_MS_MAX = 10_000
const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

/**
 * A copy that no edit of the sources can disturb; answers its launcher. A clone's launcher compares `src/` with the
 * bundle, so it is given one.
 */
export function install({ asClone }: { asClone: boolean }): string {
  execFileSync(process.execPath, ['scripts/build.ts', '--if-stale'], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  const folder = temporaryFolder()
  for (const part of ['bin', 'package.json', ...(asClone ? ['src'] : [])]) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true, preserveTimestamps: true })
  }
  // Last and with a new time: newer than any source.
  mkdirSync(join(folder, 'dist'))
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'bin/sluice')
}

export interface ModelProcess {
  readonly baseUrl: string
}

/** The scripted OpenAI-wire server in a process of its own. */
export function startModel(): Promise<ModelProcess> {
  const child = fork(fileURLToPath(new URL('./model-process.ts', import.meta.url)))
  started.add(child)
  return new Promise((resolve, reject) => {
    child.once('message', message => resolve(message as ModelProcess))
    child.once('exit', code => reject(new Error(`the model server ended with ${code}`)))
  })
}

export interface GatewayWishes {
  readonly launcher: string
  readonly stateDir: string
  /** Default: the offline model. */
  readonly model?: ModelProcess | undefined
}

export interface GatewayProcess {
  readonly pid: number
  readonly url: string
  readonly token: string
  /** From spawn to the line that says where it listens. */
  readonly startedMs: number
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>
}

export function gatewayEnv(stateDir: string): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return { PATH, HOME, TMPDIR, TZ: 'Europe/Berlin', SLUICE_STATE_DIR: stateDir, SLUICE_GATEWAY_PORT: '0' }
}

export async function startGateway(wishes: GatewayWishes): Promise<GatewayProcess> {
  const { launcher, stateDir, model } = wishes
  if (model) {
    const config = {
      models: { providers: { scripted: { baseUrl: model.baseUrl } } },
      agents: { defaults: { model: 'scripted/one' } },
    }
    writeFileSync(join(stateDir, 'sluice.json'), JSON.stringify(config))
  }
  const began = performance.now()
  const child = spawn(launcher, ['gateway'], {
    env: gatewayEnv(stateDir),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.add(child)
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const { url, startedMs } = await readyLine(child, began)
  return {
    pid: child.pid as number,
    url,
    token: readFileSync(join(stateDir, 'token'), 'utf8').trim(),
    startedMs,
    stop: async () => {
      child.kill('SIGTERM')
      await gone
      started.delete(child)
    },
  }
}

function readyLine(child: ChildProcess, began: number): Promise<{ url: string; startedMs: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ url: string; startedMs: number }>()
  let text = ''
  const timer = setTimeout(() => reject(new Error(`the gateway did not start:\n${text}`)), START_MS_MAX)
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
    const url = /listening on (ws:\S+)/.exec(text)?.[1]
    if (url === undefined) return
    clearTimeout(timer)
    resolve({ url, startedMs: performance.now() - began })
  })
  child.once('exit', code => reject(new Error(`the gateway ended with ${code}:\n${text}`)))
  return promise
}

export function connect({ url, token }: Pick<GatewayProcess, 'url' | 'token'>): Promise<GatewayClient> {
  return connectGateway({
    ...{ url, token, clock: nodeClock },
    client: { id: 'cli', mode: 'cli' },
    openSocket: address => new WebSocket(address, { perMessageDeflate: false }),
  })
}

/** Resident memory of a process in MiB, as Linux counts it. */
export function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb) / 1_024
}
