// An owner's yes or no to a stranger, by a button or a command. It is one call of one method with the scope that this one
// declares. From anywhere but the owner's own direct chat nothing is called, whatever the button says.
import { declarationOf, type Result } from '../protocol/catalogue.ts'
import type { Knock } from './gate.ts'
import { fullName, type Person } from './names.ts'
import type { Press, ReceiverParts } from './receiver.ts'
import { type Answer, answerIn } from './stranger-question.ts'

const NO_OWNER = 'Only an owner of this gateway may say that, and only in their own chat with me.'

interface Decision extends Answer {
  /** The same whenever what was said is handed on again. */
  readonly key: string
}

/** What the person is told of it. Rejects where the method does. */
export async function decide(
  { store, textLengthMax, call }: ReceiverParts,
  { channelId, chatId, from, group }: Omit<Knock, 'messageId'>,
  { verb, code, key }: Decision,
): Promise<string> {
  const owner = store.read.person(channelId, from.id)
  if (group || owner?.ownerChatId !== chatId) return NO_OWNER
  const method = `channels.pairing.${verb}` as const
  const scopes = new Set([declarationOf(method).scope])
  const label = `${fullName(from)} on ${channelId}`
  const answer = await call(method, { code }, { key, route: { channelId, chatId, textLengthMax }, scopes, label })
  if (verb === 'approve') return `${nameIn((answer as Result<'channels.pairing.approve'>).person)} is let in, and told.`
  const { stranger } = answer as Result<'channels.pairing.deny'>
  return `${nameIn(stranger)} is not let in. They are told nothing, and may ask again when the hour is over.`
}

function nameIn({ person, name, handle }: Omit<Person, 'id'> & { readonly person: string }): string {
  return fullName({ id: person, name, handle })
}

/** What the person is shown of it in passing; undefined: it is no such button. Rejects where the method does. */
export async function pressedStranger(parts: ReceiverParts, press: Press): Promise<string | undefined> {
  const answer = answerIn(press.action)
  return answer && (await decide(parts, press, { ...answer, key: `press:${press.pressId}` }))
}
