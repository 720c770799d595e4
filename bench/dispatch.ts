// What the one door costs in process: a call through the dispatcher beside its handler's own store read, and beside the
// store's own write with the disk taken out. The whole `cron` tool is shown too: policy, schema, JSON and local times.
import { Deadline } from '../src/coordination/deadline.ts'
import { Slots } from '../src/coordination/slots.ts'
import { Dispatcher } from '../src/dispatch/dispatcher.ts'
import { allHandlers } from '../src/methods/handlers.ts'
import type { Store } from '../src/store/port.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import type { ToolCaller, ToolContext } from '../src/tools/tool.ts'
import { inlineRunner } from '../src/turns/perform.ts'
import { furnish, type House, OPERATOR, ZONE } from './house.ts'
import { type Figure, median, percentile, rounds, spreadOf } from './measure.ts'
import { addJobs, jobInput, jobOf, temporaryFolder } from './state.ts'

const ROUNDS = 40
const CALLS_PER_ROUND = 250
const WARM_UP_ROUNDS = 8
const GOAL_US = 50

/** The median of one round's calls, in microseconds. */
async function roundOf(call: (ordinal: number) => Promise<unknown> | unknown): Promise<number> {
  const samples: number[] = []
  for (let ordinal = 0; ordinal < CALLS_PER_ROUND; ordinal += 1) {
    const began = performance.now()
    await call(ordinal)
    samples.push((performance.now() - began) * 1_000)
  }
  return median(samples)
}

/** A store whose `addJob` answers at once: what is left is the door, the lenient forms, the schedule and the key. */
function withoutDisk(store: Store): Store {
  const addJob: Store['write']['addJob'] = async ({ job }) => ({ value: { job, deduplicated: false }, repeated: false })
  return Object.create(store, { read: { value: store.read }, write: { value: { ...store.write, addJob } } })
}

function toolCaller(house: House): ToolCaller {
  return async (method, params) => (await house.dispatcher.call(method, params, { caller: OPERATOR })) as never
}

function sides(house: House, store: Store) {
  const diskless = withoutDisk(store)
  const dispatcher = new Dispatcher(allHandlers({ ...house.parts, store: diskless }), house.parts.clock)
  const signal = new AbortController().signal
  const context: ToolContext = {
    ...{ call: toolCaller(house), sessionKey: 'agent:main:main', agentId: 'main', zone: ZONE, signal },
    outside: wait => wait(),
    cause: () => '',
    approve: async () => ({ allowed: true }),
  }
  const job = jobOf('fixed', 7)
  return {
    'bare status': () => roundOf(() => [store.read.jobCount({ includeDisabled: true }), store.read.nextDueAtMs()]),
    'call status': () => roundOf(() => house.dispatcher.call('cron.status', {}, { caller: OPERATOR })),
    'bare list': () =>
      roundOf(() => [
        store.read.jobs({ includeDisabled: false, limit: 500 }),
        store.read.jobCount({ includeDisabled: false }),
      ]),
    'call list': () => roundOf(() => house.dispatcher.call('cron.list', {}, { caller: OPERATOR })),
    'bare add': () =>
      roundOf(() => diskless.write.addJob({ job, equalKey: 'x', dedupe: false, nowMs: job.createdAtMs })),
    'call add': () =>
      roundOf(ordinal => dispatcher.call('cron.add', jobInput(ordinal), { caller: OPERATOR, key: `call-${ordinal}` })),
    'tool list': () => roundOf(() => house.toolbox.run({ name: 'cron', args: { action: 'list' } }, context)),
  }
}

/** A turn's own standing costs a deadline; the dispatcher makes one per call as well. */
async function deadlineOnly(house: House): Promise<number> {
  const outer = new AbortController().signal
  await new Slots({ turns: 1 }).take(['turns'], outer)
  return roundOf(() => new Deadline(house.parts.clock, 10_000, { what: 'it', outer }).end())
}

export async function measure(): Promise<Figure[]> {
  const store = await openSqliteStore({ folder: temporaryFolder() })
  await addJobs(store, 10)
  const noModel = () => {
    throw new Error('no turn runs here')
  }
  const house = furnish(store, inlineRunner(noModel))
  const both = sides(house, store)
  await rounds(WARM_UP_ROUNDS, both)
  const found = await rounds(ROUNDS, both)
  const bound = await rounds(ROUNDS, { deadline: () => deadlineOnly(house) })
  house.parts.scheduler.stop()
  await store.close()
  const over = (call: keyof typeof both, bare: keyof typeof both) => {
    const differences = found[call].map((us, round) => us - (found[bare][round] ?? 0))
    return { value: median(differences), spread: spreadOf(differences) }
  }
  const figure = (name: string, part: { value: number; spread?: number }, goal?: number): Figure => ({
    ...{ name, ...part, unit: 'us', better: 'lower' },
    ...(goal !== undefined && { goal }),
  })
  return [
    figure('cron.status, p50 over its reads', over('call status', 'bare status'), GOAL_US),
    figure('cron.list of 10, p50 over its reads', over('call list', 'bare list'), GOAL_US),
    figure('cron.add with key, p50 over a store without disk', over('call add', 'bare add'), GOAL_US),
    figure('the reads of cron.list alone, p50', { value: median(found['bare list']) }),
    figure('cron.list, p50', { value: median(found['call list']) }),
    figure('cron tool, list of 10, p50', { value: median(found['tool list']) }),
    figure('making a deadline, p90 of rounds', { value: percentile(bound.deadline, 0.9) }),
  ]
}
