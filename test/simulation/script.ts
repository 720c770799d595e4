// What the models of a simulation say. A message carries a token, how deep it may go on, and sometimes a path; from these
// and the seed follows each step of the turn that it starts, so that a turn that is carried on says the same again.
import { MINUTE, SECOND } from '../../src/base/durations.ts'
import type { ModelEvent, ModelMessage } from '../../src/providers/model.ts'
import type { Prng } from './prng.ts'

export interface Note {
  /** Names the message; made once, so it may arrive once. */
  readonly token: string
  readonly depth: number
  /** Sessions still to be asked, one after the other, each waiting for the next. */
  readonly path?: string
}

export const writeNote = (note: Note): string => `sim:${JSON.stringify(note)}`

export function readNote(text: string): Note {
  const found = /sim:(\{[^{}]*\})/.exec(text)?.[1]
  return found ? (JSON.parse(found) as Note) : { token: '', depth: 0 }
}

/** What a script may name. */
export interface Surroundings {
  readonly sessions: readonly string[]
  readonly sessionKey: string
  readonly runIds: readonly string[]
  readonly jobIds: readonly string[]
  /** Sessions of tasks. */
  readonly taskSessions: readonly string[]
  /** Models hand on tasks and run commands too. */
  readonly wide: boolean
  readonly nowMs: number
}

export interface ScriptStep {
  readonly runId: string
  readonly step: number
  readonly messages: readonly ModelMessage[]
  readonly random: Prng
  readonly around: Surroundings
}

type Said = Extract<ModelEvent, { type: 'done' | 'failed' }>
interface ScriptCall {
  readonly name: string
  readonly args: unknown
}

const STEPS_MAX = 4

export function nextAnswer(turn: ScriptStep): Said {
  const { random, step, runId } = turn
  const note = turn.around.wide && isTold(turn.messages) ? { token: '', depth: 1 } : noteOf(turn.messages)
  const done = note.path !== undefined ? step > 0 : step >= random.int(0, STEPS_MAX)
  if (done || (note.depth <= 0 && random.chance(0.5))) return say(`${runId} step ${step}`)
  const calls = note.path === undefined ? drawnCalls(turn, note) : pathCalls(turn, note)
  return say('', calls)
}

function say(text: string, calls: readonly ScriptCall[] = []): Said {
  return { type: 'done', text, calls: calls.map((call, index) => ({ ...call, id: `c${index}` })) }
}

function noteOf(messages: readonly ModelMessage[]): Note {
  const input = messages.findLast(message => message.role === 'user')
  return readNote(input?.role === 'user' ? input.text : '')
}

/** Who is told how something ended goes on from there. */
const isTold = (messages: readonly ModelMessage[]) => {
  const input = messages.findLast(message => message.role === 'user')
  return input?.role === 'user' && /has ended: |has answered your message:/.test(input.text)
}

function pathCalls({ runId, random }: ScriptStep, note: Note): ScriptCall[] {
  const [next, ...rest] = (note.path ?? '').split(',').filter(Boolean)
  if (next === undefined) return []
  const on = { token: `${runId}/p`, depth: 0, path: rest.join(',') }
  return [
    { name: 'sessions_send', args: { sessionKey: next, message: writeNote(on), timeoutSeconds: longWait(random) } },
  ]
}

const longWait = (random: Prng) => random.pick([60, 300, 600])

function drawnCalls(turn: ScriptStep, note: Note): ScriptCall[] {
  const count = turn.random.chance(0.75) ? 1 : turn.random.int(2, 3)
  return Array.from({ length: count }, (_, ordinal) =>
    drawnCall(turn, { ...note, token: `${turn.runId}/${turn.step}.${ordinal}` }),
  )
}

const CALLS = {
  send: 40,
  'cron-add': 10,
  'cron-list': 6,
  'cron-remove': 3,
  'cron-run': 5,
  'run-and-wait': 6,
  'wait-for-run': 10,
  status: 5,
  nonsense: 2,
  spawn: 0,
  exec: 0,
}
const WIDE = { ...CALLS, spawn: 34, exec: 26 }

function drawnCall(turn: ScriptStep, note: Note): ScriptCall {
  const { random, around } = turn
  const weights = around.wide ? WIDE : CALLS
  const kind = random.weighted(note.depth > 0 ? weights : { ...weights, send: 0, 'cron-add': 0, spawn: 0 })
  const jobId = around.jobIds.length > 0 ? random.pick(around.jobIds) : 'no-such-job'
  switch (kind) {
    case 'send': {
      const args = { sessionKey: target(turn), message: writeNote({ ...note, depth: note.depth - 1 }) }
      return { name: 'sessions_send', args: { ...args, timeoutSeconds: random.pick([0, 0, 1, 5, 30, 120, 600]) } }
    }
    case 'cron-add':
      return { name: 'cron', args: { action: 'add', job: drawJob(random, note, around) } }
    case 'cron-list':
      return { name: 'cron', args: { action: 'list' } }
    case 'cron-remove':
      return { name: 'cron', args: { action: 'remove', jobId } }
    case 'cron-run':
      return { name: 'cron', args: { action: 'run', jobId } }
    case 'run-and-wait':
      return {
        name: 'sim_run',
        args: { jobId, mode: 'force', wait: true, timeoutMs: random.span(SECOND, 10 * MINUTE) },
      }
    case 'wait-for-run': {
      const runId = around.runIds.length > 0 ? random.pick(around.runIds) : 'no-such-run'
      return { name: 'sim_wait', args: { runId, timeoutMs: random.span(SECOND, 10 * MINUTE) } }
    }
    case 'status':
      return { name: 'session_status', args: {} }
    case 'spawn':
      return { name: 'sessions_spawn', args: drawTask(turn, note) }
    case 'exec':
      return { name: 'exec', args: drawCommand(turn, note) }
    case 'nonsense':
      return { name: random.pick(['nothing', 'cron']), args: { action: 'dance' } }
  }
}

function target({ random, around }: ScriptStep): string {
  if (random.chance(0.08)) return around.sessionKey
  if (around.taskSessions.length > 0 && random.chance(0.1)) return random.pick(around.taskSessions)
  return random.pick(around.sessions)
}

function drawTask({ random }: ScriptStep, note: Note): object {
  return {
    task: writeNote({ ...note, depth: note.depth - 1 }),
    ...(random.chance(0.3) && { label: 'look' }),
    ...(random.chance(0.2) && { runTimeoutSeconds: random.pick([1, 10, 120]) }),
    ...(random.chance(0.8) && { waitSeconds: random.pick([0, 0, 1, 5, 60, 600]) }),
  }
}

/** Some commands are unlike all others, some are asked for again and again; one waits for a run as the turn's own. */
function drawCommand({ random, around }: ScriptStep, note: Note): object {
  const runId = around.runIds.length > 0 ? random.pick(around.runIds) : 'no-such-run'
  const command = random.pick([
    ['ls', '-l'],
    ['make', 'all'],
    ['make', 'test'],
    ['git', 'push', note.token],
    ['git', 'push', note.token],
    ['sluice', 'wait', runId, String(random.span(100, 2 * MINUTE))],
    ['missing'],
  ])
  return { command, ...(random.chance(0.2) && { timeout: random.pick([1, 20]) }) }
}

/** A job whose name is the note's token. Those that people keep an eye on are not removed by themselves. */
export function drawJob(random: Prng, note: Note, around: Pick<Surroundings, 'nowMs' | 'sessions'>) {
  const schedule = random.pick([
    { kind: 'every', everyMs: random.span(20 * SECOND, 10 * MINUTE) },
    { kind: 'every', everyMs: random.span(20 * SECOND, 10 * MINUTE) },
    { kind: 'at', atMs: around.nowMs + random.span(SECOND, 5 * MINUTE) },
    { kind: 'cron', expr: random.pick(['*/2 * * * *', '30 */5 * * * *']) },
  ])
  const inner = writeNote({ ...note, depth: Math.min(1, note.depth - 1) })
  const payload = random.pick([
    { kind: 'agentTurn', message: inner },
    { kind: 'agentTurn', message: inner },
    { kind: 'systemEvent', text: inner },
    { kind: 'message', text: inner },
  ])
  return {
    name: note.token,
    enabled: true,
    schedule,
    payload,
    sessionTarget: payload.kind === 'agentTurn' ? 'isolated' : 'main',
    wakeMode: 'now',
    ...(random.chance(0.5) && { sessionKey: random.pick(around.sessions) }),
  }
}
