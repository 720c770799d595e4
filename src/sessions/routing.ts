// Whose a chat of a channel is: the agent of the binding that says most about it, else the default agent. Pure. What a
// channel does not tell of a chat binds nobody: such a chat is its channel's.

/** Whose chats are whose; absent parts: see `specificity`. */
interface ChatBinding {
  readonly agentId: string
  readonly channel: string
  /** One account; `*`: all of the channel; undefined: its default account. */
  readonly accountId: string | undefined
  readonly peer: { readonly kind: string; readonly id: string } | undefined
}

export interface Chat {
  readonly channel: string
  /** Of the gateway's accounts there; undefined: the channel has but one. */
  readonly accountId?: string | undefined
  readonly id: string
  /** `dm`, `group` or `channel`; undefined: the channel does not tell. */
  readonly kind?: string | undefined
}

const DEFAULT_ACCOUNT = 'default'
const ALL = '*'

/** Of two bindings that say as much the first counts. */
export function agentOfChat(chat: Chat, bindings: readonly ChatBinding[], defaultAgent: string): string {
  const found = bindings
    .map(binding => ({ agentId: binding.agentId, says: specificity(binding, chat) }))
    .reduce<{ agentId: string; says: number } | undefined>(
      (best, next) => (next.says > (best?.says ?? 0) ? next : best),
      undefined,
    )
  return found?.agentId ?? defaultAgent
}

/** 0: it is not for this chat. One chat says more than an account, one account more than a whole channel. */
function specificity({ channel, accountId = DEFAULT_ACCOUNT, peer }: ChatBinding, chat: Chat): number {
  if (!isSame(channel, chat.channel)) return 0
  if (accountId !== ALL && !isSame(accountId, chat.accountId ?? DEFAULT_ACCOUNT)) return 0
  if (!peer) return accountId === ALL ? 1 : 2
  const isPeer = isSame(peer.id, chat.id) && (chat.kind === undefined || chat.kind === peer.kind)
  return isPeer ? 3 : 0
}

/** As session keys are compared. */
function isSame(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase()
}
