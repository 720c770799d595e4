// Where the result of a turn goes that a job or a caller of `agent` wanted delivered: to the chat that is named, to the
// session that hears of it (and the chat where its person reads), or to nobody. Pure. The same rule previews it when the
// job is made and decides when it has run.
import type { Job } from '../protocol/job.ts'
import type { Route } from '../store/port.ts'

export interface Whereabouts {
  /** The session that hears of the job, and the chat where its person reads. */
  readonly sessionKey: string
  readonly route: Route | undefined
  /** The channels there are, with the longest message that each takes. */
  readonly channels: readonly { readonly id: string; readonly textLengthMax: number }[]
}

export type Target =
  | { readonly kind: 'none' }
  | { readonly kind: 'session'; readonly sessionKey: string; readonly route: Route | undefined }
  | { readonly kind: 'chat'; readonly route: Route }
  /** It names a chat that cannot be reached. */
  | { readonly kind: 'missing'; readonly why: string }

type Wish = Pick<Extract<Job['payload'], { kind: 'agentTurn' }>, 'kind' | 'deliver' | 'channel' | 'to'>

export function targetOf(
  payload: Wish | Exclude<Job['payload'], { kind: 'agentTurn' }>,
  { sessionKey, route: last, channels }: Whereabouts,
): Target {
  // Where its channel is gone, its person reads in no chat.
  const route = channels.some(({ id }) => id === last?.channelId) ? last : undefined
  const session = { kind: 'session', sessionKey, route } as const
  if (payload.kind !== 'agentTurn' && payload.kind !== 'command') return session
  if (payload.deliver === false) return { kind: 'none' }
  const { channel = 'last', to } = payload
  if (channel === 'last' && to === undefined) return session
  const channelId = channel === 'last' ? route?.channelId : channel
  if (channelId === undefined) return { kind: 'missing', why: `to "${to}" is a chat of no channel that is known` }
  const found = channels.find(({ id }) => id === channelId)
  if (!found) return { kind: 'missing', why: `there is no channel "${channelId}" here` }
  const chatId = to ?? (route?.channelId === channelId ? route.chatId : undefined)
  if (chatId === undefined) return { kind: 'missing', why: `to names no chat of "${channelId}"` }
  return { kind: 'chat', route: { channelId, chatId, textLengthMax: found.textLengthMax } }
}
