// `cron.add` by one caller where there are 10,000 jobs, beside the same where there are 10: both stores are durable and
// both are asked in turns. What was added is taken away again, unmeasured.
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import { inlineRunner } from '../src/turns/perform.ts'
import { furnish, OPERATOR } from './house.ts'
import { type Figure, median, percentile, rounds, spreadOf } from './measure.ts'
import { folderWithJobs, jobInput } from './state.ts'

const FEW = 10
const MANY = 10_000
const ROUNDS = 1_500
const WARM_UP_ROUNDS = 200
const GOAL_MS = 2
const RATIO_GOAL = 1.2

async function adderAt(jobs: number) {
  const store = await openSqliteStore({ folder: await folderWithJobs(jobs) })
  const noModel = () => {
    throw new Error('no turn runs here')
  }
  const { dispatcher, parts } = furnish(store, inlineRunner(noModel))
  let added = 0
  const add = async (): Promise<number> => {
    added += 1
    const began = performance.now()
    const job = await dispatcher.call('cron.add', jobInput(added), { caller: OPERATOR, key: `add-${added}` })
    const tookMs = performance.now() - began
    await dispatcher.call('cron.remove', { id: (job as { id: string }).id }, { caller: OPERATOR })
    return tookMs
  }
  const close = () => {
    parts.scheduler.stop()
    return store.close()
  }
  return { add, close }
}

export async function measure(): Promise<Figure[]> {
  const few = await adderAt(FEW)
  const many = await adderAt(MANY)
  const sides = { few: few.add, many: many.add }
  await rounds(WARM_UP_ROUNDS, sides)
  const found = await rounds(ROUNDS, sides)
  await Promise.all([few.close(), many.close()])
  const p50 = { few: median(found.few), many: median(found.many) }
  const ms = { unit: 'ms', better: 'lower' } as const
  return [
    { name: 'cron.add at 10,000 jobs, p50', value: p50.many, ...ms, goal: GOAL_MS, spread: spreadOf(found.many) },
    { name: 'that over cron.add at 10 jobs', value: p50.many / p50.few, unit: 'x', better: 'lower', goal: RATIO_GOAL },
    { name: 'cron.add at 10 jobs, p50', value: p50.few, ...ms, spread: spreadOf(found.few) },
    { name: 'cron.add at 10,000 jobs, p99', value: percentile(found.many, 0.99), ...ms },
    { name: 'cron.add at 10 jobs, p99', value: percentile(found.few, 0.99), ...ms },
  ]
}
