// Heartbeats: now and then an agent's main session has a turn by itself, which may stay silent. It keeps when each is next
// due, and how the last one went; the scheduler's timer calls it. A beat is never stacked behind other turns: where its
// session is busy it is left out, with the reason. Beats that were missed are not made up.
import { asSluiceError } from '../base/errors.ts'
import { type HeartbeatRule, isAck } from '../protocol/heartbeat.ts'
import type { HeartbeatEvent } from '../protocol/methods/presence.ts'
import type { RunRow } from '../store/rows.ts'
import { nextBeat } from './heartbeat-rule.ts'

const PREVIEW_LENGTH_MAX = 200

export interface HeartbeatParts {
  readonly now: () => number
  readonly rules: () => readonly HeartbeatRule[]
  /** Has the turn accepted, or answers why it was not. Waits for no turn. */
  readonly begin: (rule: HeartbeatRule, atMs: number) => Promise<'begun' | { readonly skipped: string }>
  readonly publish: (event: { event: 'heartbeat'; payload: HeartbeatEvent }) => void
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** An instant, and what it was reckoned from. */
type Due = { readonly from: string; readonly atMs: number }

export class Heartbeats {
  readonly #parts: HeartbeatParts
  readonly #due = new Map<string, Due>()
  #last: HeartbeatEvent | undefined
  /** Switched by people until the next start; the config stays as it is. */
  enabled = true

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
  }

  get last(): HeartbeatEvent | undefined {
    return this.#last
  }

  rules(): readonly HeartbeatRule[] {
    return this.#parts.rules()
  }

  /** The next instant at which one is due; undefined: none ever is. */
  nextAtMs(): number | undefined {
    const nowMs = this.#parts.now()
    const rules = this.enabled ? this.rules() : []
    for (const agentId of this.#due.keys()) if (!rules.some(rule => rule.agentId === agentId)) this.#due.delete(agentId)
    for (const rule of rules) {
      const from = JSON.stringify([rule.everyMs, rule.activeHours])
      const known = this.#due.get(rule.agentId)
      const next = nextBeat(rule, nowMs)
      // A clock that was set back makes the next one sooner, never a later one.
      this.#due.set(rule.agentId, { from, atMs: known?.from === from ? Math.min(known.atMs, next) : next })
    }
    const instants = [...this.#due.values()].map(due => due.atMs)
    return instants.length === 0 ? undefined : Math.min(...instants)
  }

  /** Begins what is due. Never rejects. */
  async fire(nowMs: number): Promise<void> {
    this.nextAtMs()
    const due = this.rules().filter(({ agentId }) => (this.#due.get(agentId)?.atMs ?? Infinity) <= nowMs)
    for (const { agentId } of due) this.#due.delete(agentId)
    await Promise.all(due.map(rule => this.#beat(rule, nowMs)))
  }

  async #beat(rule: HeartbeatRule, atMs: number): Promise<void> {
    const { agentId } = rule
    try {
      const begun = await this.#parts.begin(rule, atMs)
      if (begun !== 'begun') this.#tell({ ts: atMs, status: 'skipped', agentId, reason: begun.skipped })
    } catch (error) {
      this.#tell({ ts: atMs, status: 'failed', agentId, reason: asSluiceError(error).message })
    }
  }

  /** A heartbeat's turn has ended. */
  ended(run: RunRow): void {
    const rule = this.rules().find(({ agentId }) => agentId === run.agentId)
    const ts = this.#parts.now()
    const durationMs = ts - (run.startedAtMs ?? run.createdAtMs)
    this.#tell({ ts, agentId: run.agentId, durationMs, ...outcomeOf(run, rule) })
  }

  #tell(event: HeartbeatEvent): void {
    this.#last = event
    const isWrong = event.status === 'failed'
    this.#parts.log(isWrong ? 'warn' : 'info', `heartbeat of agent ${event.agentId}: ${event.status}`, { ...event })
    this.#parts.publish({ event: 'heartbeat', payload: event })
  }
}

function outcomeOf(run: RunRow, rule: HeartbeatRule | undefined): Omit<HeartbeatEvent, 'ts' | 'agentId'> {
  const reply = run.reply?.trim() ?? ''
  if (run.state !== 'ok') return { status: 'failed', reason: run.error ?? run.state }
  if (reply === '') return { status: 'ok-empty', silent: true }
  if (isAck(reply, rule?.ackLengthMax)) return { status: 'ok-token', silent: true }
  const preview = reply.slice(0, PREVIEW_LENGTH_MAX)
  return rule?.target === 'none' ? { status: 'skipped', reason: 'no-target', preview } : { status: 'sent', preview }
}
