// The buttons under a question that a turn asks in a chat, and what it means to press one. A press is the person's answer,
// once: it is judged by the same gate as their words, and may answer only what was asked in that chat. Text answers too.
import { asSluiceError, ERROR_CODES } from '../base/errors.ts'
import type { Buttons, SendRow } from '../store/rows.ts'
import { pressedJob } from './job-buttons.ts'
import { pressedStranger } from './owners.ts'
import type { Press, ReceiverParts } from './receiver.ts'

const ACTION = /^(yes|no):(\S+)$/
const APPROVER = new Set(['operator.approvals'] as const)
const DEAD = 'This button does nothing any more.'
/** What was decided before, by the approval's state. */
const BEFORE: Readonly<Record<string, string>> = {
  allowed: 'It was allowed before.',
  used: 'It was allowed before, and has begun.',
  denied: 'It was denied before.',
  expired: 'Nobody answered in time.',
  cancelled: 'The turn that asked is over.',
}

/** Under the last piece of a question; undefined where there are none, or the channel cannot carry them. */
export function buttonsUnder(
  { source, id, textId }: SendRow,
  { actionBytesMax, isLast }: { actionBytesMax: number; isLast: (sendId: string) => boolean },
): Buttons | undefined {
  if (source !== 'approval' || !isLast(id)) return undefined
  const [yes, no] = [`yes:${textId}`, `no:${textId}`]
  if (yes.length > actionBytesMax) return undefined
  return [
    [
      { label: 'Yes', action: yes },
      { label: 'No', action: no },
    ],
  ]
}

/** What a button that is under no question of a turn says, a refusal too; undefined: it is none. */
async function saidOf(parts: ReceiverParts, press: Press): Promise<string | undefined> {
  try {
    return (await pressedJob(parts, press)) ?? (await pressedStranger(parts, press))
  } catch (error) {
    const refusal = asSluiceError(error)
    if (ERROR_CODES[refusal.code] === 'world') throw refusal
    return refusal.message
  }
}

/** What the person is shown of it in passing. Rejects where the store refuses. */
export async function pressed(parts: ReceiverParts, press: Press): Promise<string> {
  const { store, gate, sessionOf, call, textLengthMax, poke } = parts
  const { channelId, chatId, pressId, action } = press
  if (!gate.admits(press)) return 'You cannot answer here.'
  const said = await saidOf(parts, press)
  if (said !== undefined) return said
  const [, word, id = ''] = ACTION.exec(action) ?? []
  const approval = store.read.approval(id)
  if (approval?.askedIn !== sessionOf(press)) return DEAD
  const from = { key: `press:${pressId}`, route: { channelId, chatId, textLengthMax }, scopes: APPROVER }
  const decision = word === 'yes' ? 'allow-once' : 'deny'
  const answer = await call('exec.approval.resolve', { id, decision }, from)
  poke()
  const { decided, state } = answer as { decided: boolean; state: string }
  if (decided) return word === 'yes' ? 'Allowed.' : 'Denied.'
  return BEFORE[state] ?? DEAD
}
