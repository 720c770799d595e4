// `sluice cron list` as a person types it, beside a bare `node -e 0`: whole processes, from spawn to exit. Once as a
// package has it and once as a clone, whose launcher first looks whether the sources are newer than the bundle.
import { spawn } from 'node:child_process'
import { gatewayEnv, install, startGateway } from './gateway-process.ts'
import { type Figure, median, rounds, spreadOf } from './measure.ts'
import { folderWithJobs } from './state.ts'

const ROUNDS = 30
const GOAL_MS = 80

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const began = performance.now()
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', part => {
    text += part
  })
  return new Promise((resolve, reject) =>
    child.once('close', code => {
      if (code === 0) resolve(performance.now() - began)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${text}`))
    }),
  )
}

export async function measure(): Promise<Figure[]> {
  const stateDir = await folderWithJobs(10)
  const installed = install({ asClone: false })
  const clone = install({ asClone: true })
  const gateway = await startGateway({ launcher: installed, stateDir })
  const env = { ...gatewayEnv(stateDir), SLUICE_GATEWAY_PORT: new URL(gateway.url).port }
  const sides = {
    bare: () => run(process.execPath, ['-e', '0'], env),
    installed: () => run(installed, ['cron', 'list'], env),
    clone: () => run(clone, ['cron', 'list'], env),
    help: () => run(installed, ['--help'], env),
  }
  await rounds(3, sides)
  const found = await rounds(ROUNDS, sides)
  await gateway.stop()
  const over = (samples: number[]) => samples.map((ms, round) => ms - (found.bare[round] ?? 0))
  const figure = (name: string, samples: number[], goal?: number): Figure => ({
    ...{ name, value: median(samples), unit: 'ms', better: 'lower', spread: spreadOf(samples) },
    ...(goal !== undefined && { goal }),
  })
  return [
    figure('sluice cron list, p50 over bare node', over(found.installed), GOAL_MS),
    figure('the same in a clone, p50 over bare node', over(found.clone), GOAL_MS),
    figure('sluice cron list, p50', found.installed),
    figure('sluice --help, p50', found.help),
    figure('bare node -e 0, p50', found.bare),
  ]
}
