// Jobs at scale, on the bundle as users run it. First what must not grow with them: a durable `cron.add`, the first page
// of `cron.list`, the start and the memory of a gateway with 100,000 jobs, beside one with 10. Then how late jobs fire
// where 1,000 of 1,000, of 10,000 and of 100,000 jobs are due every five seconds, 200 each second: from the nominal
// instant until a client has heard that the occurrence is claimed, which is later than its commit.
import type { Job } from '../src/protocol/job.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import { connect, type GatewayProcess, install, residentMb, startGateway } from './gateway-process.ts'
import { type Figure, median, pause, percentile, rounds, spreadOf, timed } from './measure.ts'
import { folderWithJobs, jobInput, jobOf } from './state.ts'

const FEW = 10
const MANY = 100_000
const SIZES = [1_000, 10_000, MANY]
const FIRING = 1_000
const EVERY_MS = 5_000
/** Two a hundredth of a second. */
const APART_MS = EVERY_MS / FIRING
/** From writing the jobs to the first that is due: by then the gateway has started and its code is warm. */
const LEAD_MS = 2_000
const WINDOW_MS = 10_000
const ROUNDS = 300
const STARTS = 8
const SETTLE_MS = 1_000
const LAG_P50_GOAL_MS = 5
const LAG_P99_GOAL_MS = 50
const FLAT_GOAL = 1.2

/** The jobs that fire, the first of them at `firstMs`; each tells its session a text. */
async function addFiring(folder: string, firstMs: number): Promise<void> {
  const store = await openSqliteStore({ folder, thread: false })
  const add = (ordinal: number) => {
    const anchorMs = firstMs + ordinal * APART_MS
    const job: Job = {
      ...jobOf(`firing-${ordinal}`, ordinal),
      schedule: { kind: 'every', everyMs: EVERY_MS, anchorMs },
      state: { nextRunAtMs: anchorMs },
    }
    return store.write.addJob({ job, equalKey: job.id, dedupe: false, nowMs: job.createdAtMs })
  }
  await Promise.all(Array.from({ length: FIRING }, (_, ordinal) => add(ordinal)))
  await store.close()
}

/** How late each claim was heard of, in milliseconds; by the one wall clock of the machine. */
async function lagsAt(launcher: string, stateDir: string): Promise<number[]> {
  const firstMs = Date.now() + LEAD_MS
  await addFiring(stateDir, firstMs)
  const gateway = await startGateway({ launcher, stateDir })
  const client = await connect(gateway)
  const lags: number[] = []
  client.onEvent(({ event, payload }) => {
    if (event !== 'cron' || payload.action !== 'started') return
    const nowMs = performance.timeOrigin + performance.now()
    const anchorMs = firstMs + Number(payload.jobId.replace('firing-', '')) * APART_MS
    // What comes again after five seconds is the next occurrence: a lag of more is not told from one of less.
    lags.push((nowMs - anchorMs) % EVERY_MS)
  })
  await pause(firstMs + EVERY_MS / 2 - Date.now())
  lags.length = 0
  await pause(WINDOW_MS)
  const found = [...lags]
  client.close()
  await gateway.stop()
  return found
}

async function asker(gateway: GatewayProcess) {
  const client = await connect(gateway)
  let added = 0
  return {
    add: async () => {
      added += 1
      let id = ''
      const tookMs = await timed(async () => {
        const job = await client.call('cron.add', { ...jobInput(added), idempotencyKey: `add-${added}` })
        id = job.id
      })
      await client.call('cron.remove', { id })
      return tookMs
    },
    list: () => timed(() => client.call('cron.list', { limit: FEW })),
    close: () => client.close(),
  }
}

/** The same gateway on both folders: what of it grows with the jobs. */
async function growth(launcher: string, folders: { few: string; many: string }): Promise<Figure[]> {
  const startOn = async (stateDir: string) => {
    const gateway = await startGateway({ launcher, stateDir })
    await gateway.stop()
    return gateway.startedMs
  }
  const starts = await rounds(STARTS, { few: () => startOn(folders.few), many: () => startOn(folders.many) })
  const few = await startGateway({ launcher, stateDir: folders.few })
  const many = await startGateway({ launcher, stateDir: folders.many })
  await pause(SETTLE_MS)
  const mb = { few: residentMb(few.pid), many: residentMb(many.pid) }
  const [fewAsked, manyAsked] = [await asker(few), await asker(many)]
  const adds = await rounds(ROUNDS, { few: fewAsked.add, many: manyAsked.add })
  const lists = await rounds(ROUNDS, { few: fewAsked.list, many: manyAsked.list })
  fewAsked.close()
  manyAsked.close()
  await Promise.all([few.stop(), many.stop()])
  const ratio = (name: string, found: { few: number[]; many: number[] }): Figure => ({
    ...{ name: `${name}, 100,000 jobs over 10`, value: median(found.many) / median(found.few), unit: 'x' },
    ...{ better: 'lower', goal: FLAT_GOAL, spread: spreadOf(found.many) },
  })
  return [
    ratio('cron.add, p50', adds),
    ratio('first 10 of cron.list, p50', lists),
    ratio('start, p50', starts),
    {
      name: 'resident memory, 100,000 jobs over 10',
      value: mb.many / mb.few,
      unit: 'x',
      better: 'lower',
      goal: FLAT_GOAL,
    },
    { name: 'cron.add at 100,000 jobs, p50', value: median(adds.many), unit: 'ms', better: 'lower' },
    { name: 'first 10 of 100,000 jobs, p50', value: median(lists.many), unit: 'ms', better: 'lower' },
    { name: 'start with 100,000 jobs, p50', value: median(starts.many), unit: 'ms', better: 'lower' },
  ]
}

function lagFigures(jobs: number, lags: readonly number[]): Figure[] {
  const at = `at ${jobs.toLocaleString('en')} jobs`
  const ms = { unit: 'ms', better: 'lower' } as const
  const judged = jobs === MANY
  return [
    { name: `firing lag ${at}, p50`, value: median(lags), ...ms, ...(judged && { goal: LAG_P50_GOAL_MS }) },
    { name: `firing lag ${at}, p99`, value: percentile(lags, 0.99), ...ms, ...(judged && { goal: LAG_P99_GOAL_MS }) },
    { name: `firing lag ${at}, p99.9`, value: percentile(lags, 0.999), ...ms },
    { name: `fired ${at}`, value: lags.length / (WINDOW_MS / 1_000), unit: '/s', better: 'higher' },
  ]
}

export async function measure(): Promise<Figure[]> {
  const launcher = install({ asClone: false })
  const many = await folderWithJobs(MANY - FIRING)
  const figures = await growth(launcher, { few: await folderWithJobs(FEW), many })
  for (const jobs of SIZES) {
    const folder = jobs === MANY ? many : await folderWithJobs(jobs - FIRING)
    figures.push(...lagFigures(jobs, await lagsAt(launcher, folder)))
  }
  return figures
}
