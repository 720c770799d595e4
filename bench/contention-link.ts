// The runner thread's probe of the `contention` bench: times each tool call between the ask that leaves over the link
// and the answer that comes back, and tells the gateway's thread four times a second. It changes no frame.
import { BroadcastChannel } from 'node:worker_threads'
import { type FromRunner, RunnerPort, type ToRunner } from '../src/turns/thread-link.ts'
import { type CallName, LINK_CHANNEL, LISTED_JOBS, type LinkReport, sharedNow } from './contention-calls.ts'

const REPORT_EVERY_MS = 250
const channel = new BroadcastChannel(LINK_CHANNEL)
const asked = new Map<number, { key: string; call: CallName; at: number }>()
let reports: LinkReport[] = []

function noteAsk(frame: FromRunner): void {
  if (frame.type !== 'ask' || frame.body.kind !== 'invoke') return
  const { id, args } = frame.body.call
  const call = (args as { action: CallName }).action
  asked.set(frame.ask, { key: `${frame.runId} ${id}`, call, at: sharedNow() })
}

function noteAnswer(frame: ToRunner): void {
  const call = frame.type === 'answer' ? asked.get(frame.ask) : undefined
  if (frame.type !== 'answer' || !call) return
  const answeredAt = sharedNow()
  asked.delete(frame.ask)
  const isRight = isRightAnswer(call.call, frame.value as { text: string; isError: boolean } | undefined)
  reports.push({ key: call.key, call: call.call, isRight, askedAt: call.at, answeredAt })
}

function isRightAnswer(call: CallName, answer: { text: string; isError: boolean } | undefined): boolean {
  if (!answer || answer.isError) return false
  return call === 'list' ? answer.text.includes(`"total":${LISTED_JOBS}`) : !answer.text.includes('"deduplicated"')
}

const { post, listen } = RunnerPort.prototype
RunnerPort.prototype.post = function (this: RunnerPort, frame) {
  noteAsk(frame)
  post.call(this, frame)
}
RunnerPort.prototype.listen = function (this: RunnerPort, take) {
  listen.call(this, frame => {
    noteAnswer(frame)
    take(frame)
  })
}

setInterval(() => {
  if (reports.length > 0) channel.postMessage(reports)
  reports = []
}, REPORT_EVERY_MS).unref()
