// What waits for a person's yes or no: shown, allowed, denied. It decides nothing that it was not told to.
import { SluiceError } from '../../base/errors.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { approvalReference, findWaiting, shortly, whatWouldRun } from '../approvals.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { relative } from '../text/times.ts'

export const list: Run = async (args, shell) => {
  const sessionKey = args.has('session') ? args.required('session') : undefined
  const answer = await withGateway(args, shell, ({ call }) =>
    call('approvals.list', sessionKey === undefined ? {} : { sessionKey }),
  )
  const paint = paintFor(shell.color)
  const nowMs = shell.clock.now()
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.approvals.length === 0) shell.stdout.write('Nothing waits for a yes or no.\n')
  else {
    for (const approval of answer.approvals) {
      const times = `asked ${relative(approval.createdAtMs, nowMs)}, expires ${relative(approval.expiresAtMs, nowMs)}`
      shell.stdout.write(
        `${paint.bold(sanitizeLine(approval.id))}\n  ${sanitizeLine(`${approval.tool} in ${approval.sessionKey}`)}, ${times}\n${whatWouldRun(approval, shell.stdout.columns())}\n`,
      )
    }
    shell.stdout.write('Answer with: sluice approve <id>, or sluice deny <id>\n')
  }
  return EXIT.ok
}

export const approve: Run = (args, shell) => decide(args, shell, args.has('always') ? 'allow-always' : 'allow-once')
export const deny: Run = (args, shell) => decide(args, shell, 'deny')

type Decision = 'allow-once' | 'allow-always' | 'deny'

const DONE: Readonly<Record<Decision, string>> = {
  'allow-once': 'Allowed',
  'allow-always': 'Allowed, and its like from now on',
  deny: 'Denied',
}
/** What became of one that was no longer open. */
const BEFORE: Readonly<Record<string, string>> = {
  allowed: 'It was allowed before and is about to run.',
  used: 'It was allowed before and has begun to run.',
  denied: 'It was denied before; it does not run.',
  expired: 'Nobody answered in time; it does not run.',
  cancelled: 'The turn that asked is over; it does not run.',
}

async function decide(args: Arguments, shell: Shell, decision: Decision): Promise<number> {
  const reference = approvalReference(args)
  const { waiting, answer } = await withGateway(args, shell, async link => {
    const waiting = await findWaiting(args, link)
    const params = { id: waiting?.id ?? reference, decision, idempotencyKey: shell.random.uuid() }
    const answer = await link.call('exec.approval.resolve', params).catch(error => refuse(error, reference))
    return { waiting, answer }
  })
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.decided) shell.stdout.write(`${DONE[decision]}${waiting ? `: ${shortly(waiting)}` : '.'}\n`)
  else shell.stdout.write(`${BEFORE[answer.state] ?? `It was decided before: ${sanitizeLine(answer.state)}.`}\n`)
  return isAsWished(decision, answer) ? EXIT.ok : EXIT.failed
}

function refuse(error: unknown, reference: string): never {
  if (!(error instanceof SluiceError && error.message.includes('unknown approval id'))) throw error
  throw new SluiceError('NOT_FOUND', `There is no approval "${reference}". What waits: sluice approvals`)
}

function isAsWished(decision: Decision, { state }: Result<'exec.approval.resolve'>): boolean {
  const mayRun = state === 'allowed' || state === 'used'
  return (decision !== 'deny') === mayRun
}
