// Approvals as people read and name them. What would run is shown whole, character by character, and marked so that
// nothing in it can pass for words of ours: a person decides by it.
import type { Result } from '../protocol/catalogue.ts'
import type { Arguments } from './arguments.ts'
import type { Link } from './gateway-link.ts'
import { reveal, sanitizeLine } from './text/sanitize.ts'
import { truncate, wrap } from './text/width.ts'
import { UsageError } from './usage.ts'

export type Approval = Result<'approvals.list'>['approvals'][number]

const BAR = '  │ '
const TEXT_SHOWN_MAX = 60

/** What would run, in rows of at most `columns`, each behind a bar; without `columns` no row is broken. */
export function whatWouldRun({ text }: Pick<Approval, 'text'>, columns = Number.POSITIVE_INFINITY): string {
  return wrap(reveal(text), columns - BAR.length)
    .map(row => BAR + row)
    .join('\n')
}

/** Enough of it to know it again, on one line; never to decide by. */
export function shortly({ text }: Approval): string {
  return truncate(sanitizeLine(reveal(text)), TEXT_SHOWN_MAX)
}

/** The one that waits under this id or beginning of an id; undefined when none does. */
export async function findWaiting(args: Arguments, { call }: Link): Promise<Approval | undefined> {
  const reference = approvalReference(args)
  const { approvals } = await call('approvals.list', {})
  const begun = approvals.filter(({ id }) => id.startsWith(reference))
  if (begun.length > 1 && !begun.some(({ id }) => id === reference)) {
    const list = begun.map(approval => `  ${approval.id}  ${shortly(approval)}`).join('\n')
    throw new UsageError(`"${reference}" begins the ids of ${begun.length} approvals; give more of the one:\n${list}`)
  }
  return begun.find(({ id }) => id === reference) ?? begun[0]
}

export function approvalReference(args: Arguments): string {
  const [reference] = args.positionals
  if (!reference?.trim()) throw args.usage('Which approval? Give its id or the beginning of it: sluice approvals')
  return reference.trim()
}
