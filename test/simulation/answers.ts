// What people do when they are asked, or see a task begin: they say yes, no or something else, by a command or in a chat,
// twice, too late, in the wrong chat or never, and they stop what goes on. Each yes is kept as evidence, because only
// after one may a command run. They act in time of their own, which a crash of the gateway does not end.
import { SECOND } from '../../src/base/durations.ts'
import type { Boot } from './boot.ts'
import type { Chats } from './chats.ts'
import { Prng } from './prng.ts'
import type { Scenario } from './scenario.ts'
import type { Request, Sightings } from './sightings.ts'
import type { VirtualTime } from './virtual-time.ts'

const ANSWERS = {
  yes: 24,
  always: 6,
  no: 10,
  'chat yes': 20,
  'chat yes, by name': 8,
  'chat always': 3,
  'chat no': 6,
  'other words': 8,
  'yes in another chat': 6,
  late: 8,
  never: 12,
  stop: 6,
}
type Answer = keyof typeof ANSWERS
type Decision = 'allow-once' | 'allow-always' | 'deny'

/** Answers by a command or a button. */
const DECISIONS: Partial<Record<Answer, Decision>> = {
  yes: 'allow-once',
  late: 'allow-once',
  always: 'allow-always',
  no: 'deny',
}
/** Answers by a message. */
const WORDS: Partial<Record<Answer, string>> = {
  'chat yes': 'Yes',
  'chat always': 'always',
  'chat no': 'no',
  'other words': 'not before I have seen it',
  'yes in another chat': 'yes',
}

export interface PeopleParts {
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly seen: Sightings
  /** The gateway that is up. */
  readonly boot: () => Boot
  readonly chats: Chats
}

interface Question {
  readonly id: string
  readonly askedIn: string
}

type Ask = (wanted: Omit<Request, 'calls' | 'key'> & { key?: string }) => void

export class Answers {
  readonly #parts: PeopleParts
  readonly #ask: Ask

  constructor(parts: PeopleParts, ask: Ask) {
    this.#parts = parts
    this.#ask = ask
  }

  /** A question came up: one answer is planned, sometimes two. */
  asked(id: string): void {
    const { seen, scenario, time, boot } = this.#parts
    const { commands } = scenario.allowance
    if (!commands) return
    seen.counts.questions += 1
    const askedIn = boot().reader.prepare('SELECT asked_in FROM approvals WHERE id = ?').pluck().get(id) as string
    const random = new Prng(`answer ${scenario.seed} ${id}`)
    const count = random.chance(0.3) ? 2 : 1
    for (let number = 0; number < count; number += 1) {
      const answer = random.weighted(ANSWERS)
      const delayMs =
        answer === 'late' ? commands.approvalTimeoutMs + random.int(0, 2) : random.span(5, commands.approvalTimeoutMs)
      time.after(delayMs, () => this.#answer(answer, { id, askedIn }, `${id}/${number}`))
    }
  }

  /** A task has begun; now and then somebody stops what it is part of. */
  taskBegan(sessionKey: string): void {
    const { seen, scenario, time, boot } = this.#parts
    if (seen.taskSessions.has(sessionKey)) return
    seen.taskSessions.add(sessionKey)
    seen.counts.tasks += 1
    const random = new Prng(`task ${scenario.seed} ${sessionKey}`)
    if (!random.chance(0.1)) return
    const tells = boot().reader.prepare('SELECT tells FROM runs WHERE session_key = ? AND tells IS NOT NULL').pluck()
    const asker = tells.get(sessionKey) as string | undefined
    const stopped = random.chance(0.2) ? sessionKey : asker
    time.after(random.span(1, 30 * SECOND), () => this.stop(stopped ?? sessionKey, `task ${sessionKey}`))
  }

  /** As a person does in a chat. */
  stop(sessionKey: string, name: string): void {
    const params = { sessionKey, message: '/stop', idempotencyKey: `stop ${name}` }
    this.#ask({ kind: 'stop', method: 'chat.send', params })
  }

  #answer(answer: Answer, question: Question, name: string): void {
    const { id, askedIn } = question
    const decision = DECISIONS[answer]
    const words = answer === 'chat yes, by name' ? `approve ${id} yes` : WORDS[answer]
    if (decision) this.#resolve(question, decision, name)
    else if (words) this.#say(answer === 'yes in another chat' ? this.#otherThan(askedIn) : askedIn, words, name)
    else if (answer === 'stop') this.stop(askedIn, name)
  }

  #otherThan(sessionKey: string): string {
    return this.#parts.scenario.sessions.find(session => session !== sessionKey) as string
  }

  #resolve({ id }: Question, decision: Decision, name: string): void {
    const { seen, time } = this.#parts
    if (decision !== 'deny') seen.yeses.push({ id, always: decision === 'allow-always', atMs: time.nowMs })
    const params = { id, decision, idempotencyKey: `answer ${name}` }
    this.#ask({ kind: 'answer', method: 'exec.approval.resolve', key: `answer ${name}`, params })
  }

  #say(sessionKey: string, message: string, name: string): void {
    const { seen, time, chats } = this.#parts
    if (/yes|always/i.test(message)) seen.yeses.push({ sessionKey, always: message === 'always', atMs: time.nowMs })
    // Whoever is asked in a chat answers there.
    if (chats.hasChat(sessionKey)) {
      chats.write(sessionKey, message)
      return
    }
    const params = { sessionKey, message, idempotencyKey: `answer ${name}` }
    this.#ask({ kind: 'answer', method: 'chat.send', key: `answer ${name}`, params })
  }
}
