// The people and programs outside: they send, wait, stop, add jobs and look. Who gets no answer asks again under the same
// key, as our clients do. What they were told is kept, and judged at the end.
import { MINUTE, SECOND } from '../../src/base/durations.ts'
import { asSluiceError } from '../../src/base/errors.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import { Answers, type PeopleParts } from './answers.ts'
import { Prng } from './prng.ts'
import type { Action } from './scenario.ts'
import { drawJob, writeNote } from './script.ts'
import { liveRuns } from './shadow.ts'
import type { OutsideCall, Request } from './sightings.ts'
import { treeOf } from './stops.ts'

const OPERATOR: Caller = { principal: 'operator', label: 'simulation', scopes: new Set(['operator.admin']) }
/** Of the run in which a message has its answer. */
const ANSWERING_STATE = `SELECT state FROM runs
  WHERE run_id = ifnull((SELECT merged_into FROM runs WHERE run_id = ?), ?)`
type Params = Readonly<Record<string, unknown>>

export class People {
  readonly #parts: PeopleParts
  readonly #answers: Answers

  constructor(parts: PeopleParts) {
    this.#parts = parts
    this.#answers = new Answers(parts, wanted => this.#ask(wanted))
  }

  /** What people hear of by events. */
  hear(name: string, payload: Readonly<Record<string, unknown>>): void {
    if (name === 'exec.approval.requested') this.#answers.asked(String(payload.id))
    const { runId, sessionKey } = payload
    if (name === 'agent' && String(runId).startsWith('spawn:')) this.#answers.taskBegan(String(sessionKey))
  }

  act(action: Action): void {
    const random = new Prng(`action ${this.#parts.scenario.seed} ${action.name}`)
    switch (action.kind) {
      case 'chat':
      case 'agent':
      case 'ring':
      case 'chain':
        this.#write(action, random)
        return
      case 'send-outside':
        this.#send(action, random)
        return
      case 'wait':
        this.#wait(random)
        return
      case 'abort':
        this.#abort(action, random)
        return
      case 'cron-add':
        this.#addJob(action, random)
        return
      case 'cron-run':
        this.#runJob(action, random)
        return
      case 'cron-remove':
        this.#removeJob(random)
        return
      case 'repeat':
        this.#repeat(random)
        return
      case 'talk':
        this.#talk(action, random)
        return
      case 'write':
        this.#parts.chats.visit(action.name)
        return
      case 'reset':
        this.#reset(random)
        return
      default:
        this.look()
    }
  }

  /** Reads and control, which must not wait for anything. */
  look(): void {
    for (const method of ['status', 'cron.list', 'waits.list', 'sessions.list', 'health'])
      this.#ask({ kind: 'look', method, params: {} })
  }

  /** Removes every job that is left, so that the world can come to rest. */
  removeAllJobs(): void {
    const jobs = this.#parts.boot().reader.prepare('SELECT id FROM jobs ORDER BY id').pluck().all() as string[]
    for (const jobId of jobs) this.#ask({ kind: 'removal', method: 'cron.remove', params: { jobId } })
  }

  /** After a gateway came up again: what it had not answered is asked again, mostly. */
  askAgain(): void {
    const { seen, scenario, time } = this.#parts
    for (const request of seen.requests) {
      if (request.key === undefined || request.calls.at(-1)?.state !== 'lost') continue
      const random = new Prng(`again ${scenario.seed} ${request.key} ${request.calls.length} ${time.nowMs}`)
      if (random.chance(0.7)) this.#call(request, undefined)
    }
  }

  #write(action: Action, random: Prng): void {
    const { sessions } = this.#parts.scenario
    const sessionKey = random.pick(sessions)
    const note = { token: `out/${action.name}`, depth: random.int(0, 3), ...this.#path(action, sessionKey, random) }
    const key = `k${action.name}`
    const params = { message: writeNote(note), sessionKey, idempotencyKey: key }
    if (action.kind === 'chat') {
      const timed = random.chance(0.2) && { timeoutMs: random.span(SECOND, MINUTE) }
      this.#ask({ kind: 'run', method: 'chat.send', key, params: { ...params, ...timed } }, random)
    } else {
      const timed = random.chance(0.2) && { timeout: random.int(1, 60) }
      this.#ask({ kind: 'run', method: 'agent', key, params: { ...params, ...timed } }, random)
    }
  }

  /** Somebody goes on writing in a session, mostly in one where a turn runs, and may wait for what comes of it. */
  #talk(action: Action, random: Prng): void {
    const { time, scenario, seen } = this.#parts
    const sessionKey = this.#busySession(random) ?? random.pick(scenario.sessions)
    const count = random.int(1, 4)
    for (let number = 0; number < count; number += 1) {
      const key = `t${action.name}.${number}`
      const message = writeNote({ token: `talk/${key}`, depth: random.int(0, 1) })
      const params = { message, sessionKey, idempotencyKey: key }
      const waits = random.chance(0.4) && { runId: key, timeoutMs: random.span(SECOND, 10 * MINUTE) }
      time.after(random.span(1, 20 * SECOND), () => {
        this.#ask({ kind: 'run', method: 'chat.send', key, params })
        seen.runIds.add(key)
        if (waits) time.after(1, () => this.#ask({ kind: 'other', method: 'agent.wait', params: waits }))
      })
    }
  }

  #busySession(random: Prng): string | undefined {
    const running = liveRuns(this.#parts.boot().reader).filter(run => run.state === 'running')
    return running.length > 0 && random.chance(0.85) ? random.pick(running).sessionKey : undefined
  }

  /** A new transcript, where one is talked in if any is. */
  #reset(random: Prng): void {
    const key = this.#busySession(random) ?? random.pick(this.#parts.scenario.sessions)
    this.#ask({ kind: 'other', method: 'sessions.reset', params: { key } })
  }

  #path(action: Action, from: string, random: Prng): { path?: string } {
    if (action.kind !== 'ring' && action.kind !== 'chain') return {}
    const { sessions } = this.#parts.scenario
    const hops = Array.from({ length: random.int(1, Math.min(8, sessions.length)) }, () => random.pick(sessions))
    return { path: [...hops, ...(action.kind === 'ring' ? [from] : [])].join(',') }
  }

  #send(action: Action, random: Prng): void {
    const key = `k${action.name}`
    const message = writeNote({ token: `out/${action.name}`, depth: random.int(0, 2) })
    const params = {
      sessionKey: random.pick(this.#parts.scenario.sessions),
      message,
      timeoutSeconds: random.pick([0, 1, 10, 60, 600]),
      idempotencyKey: key,
    }
    this.#ask({ kind: 'send', method: 'sessions.send', key, params }, random)
  }

  #wait(random: Prng): void {
    const runs = [...this.#parts.seen.runIds].slice(-10)
    if (runs.length === 0) return
    const params = { runId: random.pick(runs), timeoutMs: random.span(100, 20 * MINUTE) }
    this.#ask({ kind: 'other', method: 'agent.wait', params })
  }

  #abort(action: Action, random: Prng): void {
    const { scenario, seen } = this.#parts
    const sessionKey = random.pick(scenario.sessions)
    const tasks = [...seen.taskSessions].slice(-4)
    if (scenario.world !== 'plain' && random.chance(0.6))
      this.#answers.stop(tasks.length > 0 && random.chance(0.3) ? random.pick(tasks) : sessionKey, action.name)
    else this.#ask({ kind: 'stop', method: 'chat.abort', params: { sessionKey } })
  }

  #addJob(action: Action, random: Prng): void {
    const { scenario, time } = this.#parts
    const key = `k${action.name}`
    const note = { token: `out/${action.name}`, depth: 1 }
    const job = drawJob(random, note, { sessions: scenario.sessions, nowMs: time.nowMs })
    this.#ask({ kind: 'job', method: 'cron.add', key, params: { ...job, idempotencyKey: key } }, random)
  }

  #runJob(action: Action, random: Prng): void {
    const jobs = [...this.#parts.seen.jobs.keys()].slice(-6)
    if (jobs.length === 0) return
    const key = `k${action.name}`
    const waits = random.chance(0.5) && { wait: true, timeoutMs: random.span(SECOND, 10 * MINUTE) }
    const params = { jobId: random.pick(jobs), mode: 'force', ...waits, idempotencyKey: key }
    this.#ask({ kind: 'job-run', method: 'cron.run', key, params }, random)
  }

  #removeJob(random: Prng): void {
    const jobs = [...this.#parts.seen.jobs.keys()].slice(-6)
    if (jobs.length > 0) this.#ask({ kind: 'removal', method: 'cron.remove', params: { jobId: random.pick(jobs) } })
  }

  /** Somebody who is not sure asks again under the same key, answered or not. */
  #repeat(random: Prng): void {
    const keyed = this.#parts.seen.requests.filter(request => request.key !== undefined)
    if (keyed.length > 0) this.#call(random.pick(keyed), undefined)
  }

  #ask(wanted: Omit<Request, 'calls' | 'key'> & { key?: string }, random?: Prng): void {
    const request: Request = { ...wanted, key: wanted.key, calls: [] }
    this.#parts.seen.requests.push(request)
    const bounded = random?.chance(0.25) && this.#parts.scenario.faults.slowDisk > 0
    this.#call(request, bounded ? random?.span(20, 4_000) : undefined)
  }

  #call(request: Request, deadlineMs: number | undefined): void {
    const { seen, time, boot } = this.#parts
    const { kind, method, params } = request
    const at = boot()
    const tree = kind === 'stop' ? { tree: treeOf(at.reader, String(params.sessionKey)) } : {}
    const made: OutsideCall = {
      ...{ boot: at.number, method, params, startedMs: time.nowMs, deadlineMs, state: 'open' as const },
      ...tree,
    }
    request.calls.push(made)
    seen.counts.calls += 1
    seen.trace(`ask ${method} ${JSON.stringify(params)}`)
    const end = (state: OutsideCall['state'], found: Partial<OutsideCall>) => {
      if (at.dead || made.state !== 'open') return
      Object.assign(made, found, { state, endedMs: time.nowMs })
      this.#expectCommitted(request, found)
      // The looks tell of this process too: its memory, its id.
      const told = kind === 'look' ? '' : JSON.stringify(found.answer ?? found.error?.message)
      seen.trace(`${state} ${method} ${told}`)
    }
    at.house.dispatcher
      .call(method, params, {
        caller: OPERATOR,
        ...(method === 'agent' && { early: early => this.#early(made, early as Params) }),
        ...(deadlineMs !== undefined && { deadlineMs }),
      })
      .then(
        answer => end('answered', { answer: answer as Params }),
        error => end('refused', { error: asSluiceError(error) }),
      )
  }

  #early(made: OutsideCall, early: Params): void {
    if (!this.#parts.boot().dead) made.early = early
  }

  /** Whoever is told of a run, of its end or of a decision is told what is on disk. */
  #expectCommitted(request: Request, { answer }: Partial<OutsideCall>): void {
    const { method, key, kind } = request
    const { seen, boot } = this.#parts
    const { reader } = boot()
    const approvals = answer?.approvals as { id: string }[] | undefined
    for (const { id } of approvals ?? []) {
      const state = reader.prepare('SELECT state FROM approvals WHERE id = ?').pluck().get(id)
      if (state === undefined || state === 'pending')
        seen.violate('durable', `${method} answered question ${id}, which is ${state ?? 'not there'} on disk`)
    }
    if (!answer || approvals || (kind !== 'run' && kind !== 'send' && method !== 'agent.wait')) return
    this.#expectRun(method, String(kind === 'run' ? key : answer.runId), answer.status)
  }

  #expectRun(method: string, runId: string, told: unknown): void {
    const { seen, boot } = this.#parts
    const state = boot().reader.prepare(ANSWERING_STATE).pluck().get(runId, runId)
    if (method === 'agent.wait' && state === undefined) return
    const isOver = state !== 'queued' && state !== 'running'
    if (state === undefined || (told === 'ok' && !isOver))
      seen.violate('durable', `${method} told of ${runId}, which is ${state ?? 'not there'} on disk`)
  }
}
