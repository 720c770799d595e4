// A person, the offline model and a small gateway in memory: enough of the turn loop to hold a conversation and to see
// every call. The gateway keeps jobs the way `cron` shows them; next runs come from croner, not from the model.
import { Cron } from 'croner'
import type { ModelEvent, ModelMessage, ToolSpec } from '../../src/providers/model.ts'
import { createOfflineModel } from '../../src/providers/offline/offline-model.ts'

/** Monday 23 November 2026, 10:00 in Berlin. */
export const NOW = Date.parse('2026-11-23T10:00:00+01:00')
export const ZONE = 'Europe/Berlin'

export const TOOL_NAMES = ['cron', 'sessions_list', 'sessions_history', 'sessions_send', 'session_status'] as const

const spec = (name: string): ToolSpec => ({ name, description: '', parameters: { type: 'object' } })

export interface Setting {
  readonly now?: number
  readonly zone?: string
  readonly tools?: readonly string[]
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly text: string
  readonly calls: readonly { readonly id: string; readonly name: string; readonly args: Record<string, unknown> }[]
  readonly events: readonly ModelEvent[]
}

/** One request; throws when the stream does not end as the port promises. */
export async function request(messages: readonly ModelMessage[], setting: Setting = {}): Promise<Answer> {
  const model = createOfflineModel({ now: () => setting.now ?? NOW, zone: setting.zone ?? ZONE })
  const events: ModelEvent[] = []
  const tools = (setting.tools ?? TOOL_NAMES).map(spec)
  const signal = setting.signal ?? new AbortController().signal
  for await (const event of model.stream({ system: '', zone: 'UTC', messages, tools, signal })) events.push(event)
  const last = events.at(-1)
  if (last?.type === 'failed') return { text: '', calls: [], events }
  if (last?.type !== 'done') throw new Error('the stream did not end with done or failed')
  return { text: last.text, calls: last.calls as Answer['calls'], events }
}

export function ask(text: string, setting?: Setting): Promise<Answer> {
  return request([{ role: 'user', text }], setting)
}

export interface FakeJob {
  id: string
  name: string
  enabled: boolean
  schedule: { kind: string; atMs?: number; everyMs?: number; expr?: string; tz?: string }
  payload: { kind: string; text: string }
  state: { nextRunAtMs?: number }
  [more: string]: unknown
}

/** A turn loop with tools that answer at once. */
export class Conversation {
  readonly messages: ModelMessage[] = []
  readonly calls: { name: string; args: Record<string, unknown> }[] = []
  readonly jobs: FakeJob[] = []
  readonly answers: Record<string, unknown> = {}
  now = NOW
  private made = 0
  private readonly setting: Setting

  constructor(setting: Setting = {}) {
    this.setting = setting
    this.now = setting.now ?? NOW
  }

  /** Says something and returns the final text of the turn. */
  async say(text: string): Promise<string> {
    this.messages.push({ role: 'user', text })
    for (let step = 0; step < 6; step++) {
      const answer = await request(this.messages, { ...this.setting, now: this.now })
      this.messages.push({ role: 'assistant', text: answer.text, calls: answer.calls })
      if (answer.calls.length === 0) return answer.text
      for (const call of answer.calls) {
        this.calls.push({ name: call.name, args: call.args })
        this.messages.push({ role: 'tool', callId: call.id, name: call.name, ...this.run(call.name, call.args) })
      }
    }
    throw new Error('the turn did not end')
  }

  /** The calls since the last time this was asked, without the ones that only read. */
  takeChanges(): readonly Record<string, unknown>[] {
    return this.calls
      .splice(0)
      .map(call => call.args)
      .filter(args => ['add', 'update', 'remove', 'run'].includes(String(args.action)))
  }

  add(name: string, schedule: FakeJob['schedule']): FakeJob {
    const job: FakeJob = {
      id: `job-${++this.made}`,
      name,
      enabled: true,
      schedule,
      sessionTarget: 'main',
      wakeMode: 'now',
      payload: { kind: 'message', text: name },
      createdAtMs: this.now,
      updatedAtMs: this.now,
      state: {},
    }
    this.jobs.push(job)
    this.plan(job)
    return job
  }

  private plan(job: FakeJob): void {
    const { schedule } = job
    const cronNext = () => new Cron(schedule.expr ?? '', { timezone: schedule.tz ?? ZONE }).nextRun(new Date(this.now))
    const everyNext = schedule.everyMs === undefined ? undefined : this.now + schedule.everyMs
    const next = schedule.expr === undefined ? (schedule.atMs ?? everyNext) : cronNext()?.getTime()
    job.state = job.enabled && next !== undefined && next > this.now ? { nextRunAtMs: next } : {}
  }

  private run(name: string, args: Record<string, unknown>): { text: string; isError: boolean } {
    const key = name === 'cron' ? `cron.${String(args.action)}` : name
    const data = key in this.answers ? this.answers[key] : this.cron(args)
    const isError = (data as { status?: string }).status === 'error'
    return { text: JSON.stringify(data), isError }
  }

  private cron(args: Record<string, unknown>): unknown {
    const job = this.jobs.find(each => each.id === args.jobId)
    switch (args.action) {
      case 'list': {
        const order = (each: FakeJob) => each.state.nextRunAtMs ?? Number.POSITIVE_INFINITY
        const jobs = [...this.jobs].sort((a, b) => order(a) - order(b) || 0)
        return { jobs: jobs.filter(each => args.includeDisabled || each.enabled), total: jobs.length }
      }
      case 'add': {
        const input = args.job as FakeJob
        const made = this.add(input.name, input.schedule)
        Object.assign(made, input)
        return made
      }
      case 'update':
        if (!job) return { status: 'error', tool: 'cron', error: 'no such job' }
        Object.assign(job, args.patch)
        this.plan(job)
        return job
      case 'remove':
        if (job) this.jobs.splice(this.jobs.indexOf(job), 1)
        return { ok: true, removed: job !== undefined }
      case 'run':
        return { ok: true, ran: true, runId: 'run-1' }
      default:
        return { status: 'error', tool: 'cron', error: `no answer for ${String(args.action)}` }
    }
  }
}

export const at = (iso: string) => ({ kind: 'at', atMs: Date.parse(iso) })
export const cron = (expr: string, tz = ZONE) => ({ kind: 'cron', expr, tz })
export const every = (everyMs: number) => ({ kind: 'every', everyMs })

/** The job that an answer adds. */
export function jobAdded(answer: Answer): {
  schedule: { kind: string; atMs: number }
  name: string
  payload: { text: string }
} {
  const [call] = answer.calls
  if (call?.args.action !== 'add') throw new Error(`no job is added: ${answer.text}`)
  return call.args.job as ReturnType<typeof jobAdded>
}

/** Text of an answer that asks back; near misses must have it. */
export const ASKED_BACK = 'I have made and changed nothing'

/** Calls that change something, of whatever tool. */
export function changes(calls: Answer['calls']): Answer['calls'] {
  return calls.filter(
    call => call.name === 'sessions_send' || /^(add|update|remove|run)$/.test(String(call.args.action)),
  )
}
