// From spawn of the launcher to the line that says where the gateway listens, with 100 jobs in the store, beside a bare
// Node that says one line. A store with 10,000 jobs is shown too: a start must not grow with them.
import { spawn } from 'node:child_process'
import { install, startGateway } from './gateway-process.ts'
import { type Figure, median, percentile, rounds, spreadOf } from './measure.ts'
import { folderWithJobs } from './state.ts'

const ROUNDS = 20
const GOAL_MS = 250
const RATIO_GOAL = 1.2

function bareNode(): Promise<number> {
  const began = performance.now()
  const child = spawn(process.execPath, ['-e', "console.log('ready')"], { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise(resolve => {
    let tookMs = 0
    child.stdout.once('data', () => {
      tookMs = performance.now() - began
    })
    child.once('close', () => resolve(tookMs))
  })
}

export async function measure(): Promise<Figure[]> {
  const launcher = install({ asClone: false })
  const folders = { few: await folderWithJobs(100), many: await folderWithJobs(10_000) }
  const startOn = async (stateDir: string) => {
    const gateway = await startGateway({ launcher, stateDir })
    await gateway.stop()
    return gateway.startedMs
  }
  const sides = { few: () => startOn(folders.few), many: () => startOn(folders.many), bare: bareNode }
  await rounds(2, sides)
  const found = await rounds(ROUNDS, sides)
  const ms = (name: string, samples: number[], goal?: number): Figure => ({
    ...{ name, value: median(samples), unit: 'ms', better: 'lower', spread: spreadOf(samples) },
    ...(goal !== undefined && { goal }),
  })
  const growth = median(found.many) / median(found.few)
  return [
    ms('start to ready, 100 jobs, p50', found.few, GOAL_MS),
    { name: 'that with 10,000 jobs, p50 over 100 jobs', value: growth, unit: 'x', better: 'lower', goal: RATIO_GOAL },
    { name: 'start to ready, 100 jobs, p90', value: percentile(found.few, 0.9), unit: 'ms', better: 'lower' },
    ms('bare node to its first line, p50', found.bare),
  ]
}
