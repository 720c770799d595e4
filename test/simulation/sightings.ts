// What was seen of a simulated world, and nothing else: calls and their answers, attempts of turns, faults. The checkers
// judge from it and from the database file; it holds no state of production code.
import { createHash } from 'node:crypto'
import type { SluiceError } from '../../src/base/errors.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A tool call of a turn, as its runner's end of the link saw it. */
export interface TurnCall {
  readonly boot: number
  readonly attempt: Attempt
  readonly runId: string
  readonly sessionKey: string
  readonly id: string
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly startedMs: number
  endedMs?: number
  result?: { readonly text: string; readonly isError: boolean }
}

/** One life of a turn in a runner. */
export interface Attempt {
  readonly boot: number
  readonly runId: string
  readonly sessionKey: string
  readonly startedMs: number
  /** The first one of its run in this boot: it took a slot as a newcomer. */
  readonly isFirst: boolean
  readonly calls: TurnCall[]
  endedMs?: number
  /** Its runner died: what it asks now is heard by nobody. */
  died?: boolean
  /** Its place at the provider: from when it asked for one, and from when it has it until its message is handed in. */
  place: 'none' | 'wanted' | 'had'
  /** How long it waited for such places. */
  placeWaitedMs: number
}

/** A command that a turn had run. */
export interface CommandRun {
  readonly boot: number
  readonly runId: string
  readonly callId: string
  readonly line: string
  readonly startedMs: number
  /** It has ended, by itself or by its signal. */
  endedMs?: number
}

/** Somebody said yes: to one question by its id, or in a chat, at that instant. */
export interface Yes {
  readonly id?: string
  readonly sessionKey?: string
  readonly always: boolean
  readonly atMs: number
}

/** A call from outside any turn. */
export interface OutsideCall {
  readonly boot: number
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  readonly startedMs: number
  readonly deadlineMs: number | undefined
  /** `lost`: the gateway went away before it answered. */
  state: 'open' | 'answered' | 'refused' | 'lost'
  /** Of a stop: the runs that it has to reach, as they were on disk when it was asked for. */
  readonly tree?: readonly string[]
  early?: Readonly<Record<string, unknown>>
  answer?: Readonly<Record<string, unknown>>
  error?: SluiceError
  endedMs?: number
}

export function isStop({ method, params }: Pick<OutsideCall, 'method' | 'params'>): boolean {
  return method === 'chat.abort' || params.message === '/stop'
}

/** What somebody outside wants done once: one key, asked for as often as need be. */
export interface Request {
  readonly kind: 'run' | 'job' | 'job-run' | 'send' | 'removal' | 'look' | 'answer' | 'stop' | 'other'
  readonly key: string | undefined
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  readonly calls: OutsideCall[]
}

export interface Violation {
  readonly checker: string
  readonly atMs: number
  readonly what: string
}

export interface Counts {
  calls: number
  turns: number
  refusals: number
  timeouts: number
  crashes: number
  restarts: number
  deaths: number
  tasks: number
  commands: number
  questions: number
  /** What people wrote in chats, and what was sent to them. */
  letters: number
  sends: number
  /** Messages that became part of a turn. */
  merged: number
}

export class Sightings {
  readonly #hash = createHash('sha256')
  readonly #time: VirtualTime
  readonly #listen: ((line: string) => void) | undefined
  readonly violations: Violation[] = []
  readonly requests: Request[] = []
  readonly attempts: Attempt[] = []
  readonly turnCalls: TurnCall[] = []
  readonly commands: CommandRun[] = []
  readonly yeses: Yes[] = []
  /** Stops that people wrote in chats, with the runs that each has to reach. */
  readonly chatStops: { readonly sessionKey: string; readonly tree: readonly string[] }[] = []
  /** Runs, sessions of tasks, and jobs with their names, in the order in which they were first heard of. */
  readonly runIds = new Set<string>()
  readonly taskSessions = new Set<string>()
  readonly jobs = new Map<string, string>()
  readonly counts: Counts = {
    ...{ calls: 0, turns: 0, refusals: 0, timeouts: 0, crashes: 0, restarts: 0, deaths: 0 },
    ...{ tasks: 0, commands: 0, questions: 0, letters: 0, sends: 0, merged: 0 },
  }

  constructor(time: VirtualTime, listen?: (line: string) => void) {
    this.#time = time
    this.#listen = listen
  }

  trace(line: string): void {
    this.#hash.update(`${this.#time.nowMs} ${line}\n`)
    this.#listen?.(`${((this.#time.nowMs % 86_400_000) / 1000 - 32_400).toFixed(3)} ${line}`)
  }

  violate(checker: string, what: string): void {
    this.violations.push({ checker, atMs: this.#time.nowMs, what })
    this.trace(`VIOLATION ${checker}: ${what}`)
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
