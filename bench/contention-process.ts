// The processes of the `contention` bench: its model, and a gateway with the probes in it. That gateway runs `src/` as
// it is, with the flags of its launcher: between the parts of a bundle nothing can be reached. Whatever ends the bench
// ends them, at the latest when their channel to it closes.
import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Found, ToProbe } from './contention-calls.ts'
import { gatewayEnv, type ModelProcess } from './gateway-process.ts'

const START_MS_MAX = 10_000
const started = new Set<ChildProcess>()
// Ahead of those who remove the folders that these processes write to.
process.prependListener('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url))
}

/** What `listen` waits for; rejects when the process ends first or when it takes too long. */
function expect<T>(child: ChildProcess, what: string, listen: (resolve: (value: T) => void) => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(new Error(`${what} took longer than ${START_MS_MAX} ms`)), START_MS_MAX)
  const onExit = (code: number | null) => reject(new Error(`${what} ended with ${code ?? 'a signal'}`))
  child.once('exit', onExit)
  listen(resolve)
  return promise.finally(() => {
    clearTimeout(timer)
    child.off('exit', onExit)
  })
}

/** Processor time of a process and all its threads so far, in milliseconds, as Linux counts it. */
export function usedMs(pid: number): number {
  // The name, in brackets, may hold anything; the counts of 10 ms are the 14th and 15th fields of the line.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export async function startContentionModel(): Promise<ModelProcess & { readonly pid: number }> {
  const child = fork(path('./contention-model.ts'))
  started.add(child)
  const { baseUrl } = await expect<ModelProcess>(child, 'the model', resolve => {
    child.once('message', message => resolve(message as ModelProcess))
  })
  return { baseUrl, pid: child.pid as number }
}

export interface ProbedGateway {
  readonly pid: number
  readonly url: string
  readonly token: string
  tell(message: ToProbe): void
  read(): Promise<Found>
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>
}

/** `turns` run at once, and for as long as the bench needs. */
export async function startProbedGateway(
  stateDir: string,
  { model, turns }: { model: ModelProcess; turns: number },
): Promise<ProbedGateway> {
  const defaults = { model: 'scripted/one', maxConcurrent: turns, timeoutSeconds: 600 }
  const config = {
    models: { providers: { scripted: { baseUrl: model.baseUrl } } },
    agents: { defaults },
    cron: { maxConcurrentRuns: turns },
  }
  writeFileSync(join(stateDir, 'sluice.json'), JSON.stringify(config))
  const child = fork(path('../src/main.ts'), ['gateway'], {
    execArgv: ['--max-semi-space-size=2', '--import', new URL('./contention-preload.ts', import.meta.url).href],
    env: { ...gatewayEnv(stateDir), MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  started.add(child)
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  let text = ''
  const url = await expect<string>(child, 'the gateway', resolve => {
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const found = /listening on (ws:\S+)/.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  return {
    pid: child.pid as number,
    url,
    token: readFileSync(join(stateDir, 'token'), 'utf8').trim(),
    tell: message => void child.send(message),
    read: () =>
      expect<Found>(child, 'what the probes found', resolve => {
        child.once('message', message => resolve(message as Found))
        child.send({ type: 'read' } satisfies ToProbe)
      }),
    stop: async () => {
      child.kill('SIGTERM')
      await gone
      started.delete(child)
    },
  }
}
