// What owners of a channel are asked of a stranger, and what the buttons under it say. Pure: who may press them is decided
// elsewhere, when one is pressed.
import type { OwnerQuestion } from '../store/port-people.ts'
import { fullName, type Person } from './names.ts'

const ACTION = /^stranger-(approve|deny):(\S+)$/

export interface Answer {
  readonly verb: 'approve' | 'deny'
  readonly code: string
}

type Room = { readonly textLengthMax: number; readonly actionBytesMax: number }

export function questionAbout(stranger: Person, code: string, { textLengthMax, actionBytesMax }: Room): OwnerQuestion {
  const button = (label: string, verb: Answer['verb']) => ({ label, action: `stranger-${verb}:${code}` })
  const row = [button('Approve', 'approve'), button('Deny', 'deny')]
  const words = `Let them in: /approve ${code}\nLeave them out: /deny ${code}`
  return {
    text: `${fullName(stranger)} asks to talk to me. Their code is ${code}, good for an hour.\n${words}`,
    buttons: row.some(({ action }) => action.length > actionBytesMax) ? undefined : [row],
    textLengthMax,
  }
}

export function answerIn(action: string): Answer | undefined {
  const [, verb, code] = ACTION.exec(action) ?? []
  return code === undefined ? undefined : { verb: verb === 'approve' ? 'approve' : 'deny', code }
}
