// `npm run bench [names] [-- --save] [--json]`: runs each bench in a process of its own, one after the other, and shows
// its figures beside the goals and the baselines. `--save` makes the new figures the baseline. A missed goal is shown
// and does not fail the run: figures of a busy machine are no verdict.
import { execFileSync, fork } from 'node:child_process'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Figure, isMet, MACHINE, readBaseline, saveBaseline, table } from './measure.ts'

const BENCHES = [
  'dispatch',
  'link',
  'contention',
  'turn',
  'websocket',
  'commits',
  'durability',
  'jobs',
  'scheduler',
  'start',
  'memory',
  'cli',
] as const
const BENCH_MS_MAX = 180_000
const SELF = fileURLToPath(import.meta.url)
const ROOT = fileURLToPath(new URL('..', import.meta.url))

interface Bench {
  readonly measure: () => Promise<readonly Figure[]>
}

/** The child: one bench, its figures sent to the parent. */
async function runHere(name: string): Promise<void> {
  const bench: Bench = await import(`./${name}.ts`)
  const figures = await bench.measure()
  await new Promise<void>(resolve => process.send?.(figures, () => resolve()))
  process.exit(0)
}

function runApart(name: string): Promise<readonly Figure[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Figure[]>()
  const child = fork(SELF, ['--here', name], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  // SIGTERM first, so that it can end what it started; what does not listen is killed.
  const terms = setTimeout(() => child.kill('SIGTERM'), BENCH_MS_MAX)
  const kills = setTimeout(() => child.kill('SIGKILL'), BENCH_MS_MAX + 3_000)
  child.once('message', message => resolve(message as readonly Figure[]))
  child.once('exit', code => {
    clearTimeout(terms)
    clearTimeout(kills)
    reject(new Error(`the bench ${name} ended with ${code ?? 'a signal'} before it had figures`))
  })
  return promise
}

interface Wishes {
  readonly names: readonly string[]
  readonly json: boolean
  readonly save: boolean
}

async function runOne(name: string, { json, save }: Wishes): Promise<readonly Figure[]> {
  const load = loadavg()[0] ?? 0
  const began = performance.now()
  const figures = await runApart(name)
  const seconds = ((performance.now() - began) / 1_000).toFixed(0)
  if (!json) console.log(`\n${name} (${seconds} s, load before ${load.toFixed(1)})`)
  if (!json) console.log(table(figures, readBaseline(name)))
  if (save) saveBaseline(name, figures)
  return figures
}

async function runAll(wishes: Wishes): Promise<void> {
  // All that starts the bundle gets the present one.
  execFileSync(process.execPath, ['scripts/build.ts', '--if-stale'], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (!wishes.json) console.log(MACHINE)
  const results: Record<string, readonly Figure[]> = {}
  for (const name of wishes.names) {
    try {
      results[name] = await runOne(name, wishes)
    } catch (error) {
      console.error(`\n${name}: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
    }
  }
  if (wishes.json) console.log(JSON.stringify({ machine: MACHINE, results }, undefined, 2))
  else console.log(`\n${summary(Object.values(results).flat())}`)
}

async function main(args: readonly string[]): Promise<void> {
  const wanted = args.filter(arg => !arg.startsWith('--'))
  const unknown = wanted.filter(name => !(BENCHES as readonly string[]).includes(name))
  if (unknown.length > 0) {
    console.error(`No bench is named ${unknown.join(', ')}. There are: ${BENCHES.join(', ')}.`)
    process.exitCode = 2
    return
  }
  const names = wanted.length > 0 ? wanted : BENCHES
  await runAll({ names, json: args.includes('--json'), save: args.includes('--save') })
}

function summary(figures: readonly Figure[]): string {
  const goals = figures.filter(figure => figure.goal !== undefined)
  const missed = goals.filter(figure => !isMet(figure))
  return `${goals.length - missed.length} of ${goals.length} goals met`
}

const [mode, name] = process.argv.slice(2)
if (mode === '--here' && name !== undefined) await runHere(name)
else await main(process.argv.slice(2))
