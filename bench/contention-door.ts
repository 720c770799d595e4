// The gateway thread's probe of the `contention` bench. It borrows the door and the standing of a turn that runs, and
// calls as that turn's tools do; it notes when calls over the link reach this thread and leave it; it watches the loop.
// It begins and ends its windows as the bench says, and ends the gateway when the bench is gone.
import { BroadcastChannel } from 'node:worker_threads'
import { type LoopDelay, measureLoopDelay } from '../src/base/node/loop-delay.ts'
import { Dispatcher } from '../src/dispatch/dispatcher.ts'
import { Toolbox } from '../src/tools/toolbox.ts'
import { ThreadRunner } from '../src/turns/thread-runner.ts'
import {
  type CallName,
  type Found,
  LINK_CHANNEL,
  LISTED_JOBS,
  type LinkParts,
  type LinkReport,
  newJob,
  noSamples,
  sharedNow,
  type ToProbe,
  type WindowFound,
  type WindowName,
} from './contention-calls.ts'

const CALL_EVERY_MS = 10
/** What was asked for in a window may be answered and told shortly after it. */
const SETTLE_MS = 500

type Door = (method: string, params: unknown, key: string) => Promise<unknown>
let door: Door | undefined

/** The first call by a session's turn shows the door; after it the dispatcher is as it was. */
const { call: dispatch } = Dispatcher.prototype
Dispatcher.prototype.call = function (this: Dispatcher, ...given) {
  const [, , options] = given
  const { turn } = options.caller
  if (turn && turn.jobId === undefined) {
    door = (method, params, key) => dispatch.call(this, method, params, { ...options, key })
    Dispatcher.prototype.call = dispatch
  }
  return dispatch.apply(this, given)
}

const toolEndedAt = new WeakMap<object, number>()
const { run: runTool } = Toolbox.prototype
Toolbox.prototype.run = async function (this: Toolbox, ...given) {
  const result = await runTool.apply(this, given)
  toolEndedAt.set(given[0], sharedNow())
  return result
}

/** By run and call: when this thread took the call up, when its tool had answered, and when its result was on disk. */
const seen = new Map<string, { heardAt: number; toolEndedAt: number; committedAt: number }>()
const { run: runTurn } = ThreadRunner.prototype
ThreadRunner.prototype.run = function (this: ThreadRunner, ...given) {
  const [task, link, signal] = given
  const invoke: typeof link.invoke = async call => {
    const heardAt = sharedNow()
    const result = await link.invoke(call)
    const endedAt = toolEndedAt.get(call) ?? Number.NaN
    seen.set(`${task.runId} ${call.id}`, { heardAt, toolEndedAt: endedAt, committedAt: sharedNow() })
    return result
  }
  const attempt: typeof link.attempt = model => link.attempt(model)
  const message: typeof link.message = said => link.message(said)
  const delta: typeof link.delta = text => link.delta(text)
  return runTurn.call(this, task, { attempt, message, invoke, delta }, signal)
}

const reports: LinkReport[] = []
const channel = new BroadcastChannel(LINK_CHANNEL)
channel.onmessage = event => {
  reports.push(...(event as { data: LinkReport[] }).data)
}
channel.unref()

interface OpenWindow {
  readonly name: WindowName
  readonly from: number
  readonly loop: LoopDelay
  readonly used: ReturnType<typeof performance.eventLoopUtilization>
  readonly timer: NodeJS.Timeout | undefined
}
let open: OpenWindow | undefined
const windows: (WindowFound & { readonly from: number; readonly to: number })[] = []
const inProcess = noSamples()
const again: number[] = []
let inProcessErrors = 0
let made = 0

async function callInProcess(call: CallName, samples: number[]): Promise<void> {
  if (!door) throw new Error('no turn of a session has called a tool yet')
  made += 1
  const params = call === 'list' ? {} : newJob(`added in process, ${made}`)
  const began = performance.now()
  try {
    const answer = (await door(`cron.${call}`, params, `bench:${made}`)) as { total?: number; deduplicated?: boolean }
    const tookMs = performance.now() - began
    if (call === 'list' ? answer.total !== LISTED_JOBS : answer.deduplicated) throw new Error('a wrong answer')
    samples.push(tookMs)
  } catch {
    inProcessErrors += 1
  }
}

/** One after the other, as a turn's calls are; a round does not wait for the one before it. */
async function callAll(): Promise<void> {
  await callInProcess('list', inProcess.list)
  await callInProcess('list', again)
  await callInProcess('add', inProcess.add)
}

function begin(name: WindowName): void {
  const timer = name === 'own' ? setInterval(callAll, CALL_EVERY_MS) : undefined
  open = { name, from: sharedNow(), loop: measureLoopDelay(), used: performance.eventLoopUtilization(), timer }
}

function end(): void {
  if (!open) return
  const { name, from, loop, used, timer } = open
  open = undefined
  clearInterval(timer)
  const busy = performance.eventLoopUtilization(used).utilization
  windows.push({ window: name, from, to: sharedNow(), loop: loop.read(), busy })
  loop.stop()
}

/** Calls over the link count when they ended in a window without dials. */
function found(): Found {
  const own = windows.filter(({ window }) => window === 'own')
  const within = reports.filter(({ answeredAt: at }) => own.some(({ from, to }) => at >= from && at <= to))
  const overLink = within.flatMap(report => (report.isRight ? partsOf(report) : []))
  return { windows, inProcess, again, inProcessErrors, overLink, linkErrors: within.length - overLink.length }
}

function partsOf({ key, call, askedAt, answeredAt }: LinkReport): LinkParts[] {
  const here = seen.get(key)
  if (!here) return []
  return [
    {
      call,
      outMs: here.heardAt - askedAt,
      workMs: here.toolEndedAt - here.heardAt,
      commitMs: here.committedAt - here.toolEndedAt,
      backMs: answeredAt - here.committedAt,
    },
  ]
}

process.on('message', (told: ToProbe) => {
  if (told.type === 'begin') begin(told.window)
  else if (told.type === 'end') end()
  else setTimeout(() => process.send?.(found()), SETTLE_MS)
})
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
