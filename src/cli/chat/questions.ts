// What turns ask this chat's person: which questions are open and shown, and how each ended. The gateway's list says what is
// open; events only say when to look. It answers none: an answer is a message like any other.
import { asSluiceError } from '../../base/errors.ts'
import type { GatewayEvent } from '../../client/client.ts'
import type { ApprovalResolvedEvent } from '../../protocol/events.ts'
import { type Approval, shortly, whatWouldRun } from '../approvals.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import type { LastingLink } from './link.ts'

const ENDS = {
  'allow-once': '✓ allowed',
  'allow-always': '✓ allowed, and its like from now on',
  deny: '✗ denied',
} as const

export class Questions {
  readonly #open = new Map<string, Approval>()
  /** Decided while the list was on its way here. */
  readonly #decided = new Set<string>()

  /** Those that were not shown yet; they count as shown from now on. Who may not answer is asked nothing. */
  async fresh(link: LastingLink, sessionKey: string): Promise<Approval[]> {
    this.#decided.clear()
    const { approvals } = await link.call('approvals.list', { sessionKey }).catch((error: unknown) => {
      if (asSluiceError(error).code === 'FORBIDDEN') return { approvals: [] }
      throw error
    })
    const open = approvals.filter(({ id }) => !this.#decided.has(id))
    for (const id of this.#open.keys()) if (!open.some(each => each.id === id)) this.#open.delete(id)
    const fresh = open.filter(({ id }) => !this.#open.has(id))
    for (const approval of fresh) this.#open.set(approval.id, approval)
    return fresh
  }

  /** How a question that was shown has ended, in a line; undefined for everything else. */
  hear({ event, payload }: { readonly event: string; readonly payload: GatewayEvent['payload'] }): string | undefined {
    if (event !== 'exec.approval.resolved') return undefined
    const { id = '', decision, resolvedBy } = payload as Partial<ApprovalResolvedEvent>
    const approval = this.#open.get(id)
    this.#open.delete(id)
    this.#decided.add(id)
    if (!approval) return undefined
    const by = resolvedBy ? ` by ${resolvedBy}` : ''
    const how = decision ? `${ENDS[decision]}${by}` : '· not answered: time is over, or the turn that asked'
    return `${sanitizeLine(how)}: ${shortly(approval)}`
  }

  get isOpen(): boolean {
    return this.#open.size > 0
  }

  /** What the next message does. */
  hint(): string {
    const [id] = this.#open.keys()
    return this.#open.size === 1
      ? `yes, always, no, or why not: your next message answers ${id}`
      : `${this.#open.size} questions are open: yes <id>, or no to all`
  }
}

export function questionText(approval: Approval, columns?: number): string {
  const { tool, sessionKey, askedIn, id } = approval
  const where = sessionKey === askedIn ? '' : ` in ${sessionKey}`
  return `${sanitizeLine(`? May ${tool}${where} run this? (${id})`)}\n${whatWouldRun(approval, columns)}`
}
