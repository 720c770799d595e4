// Who may talk to the agent: the rule of one channel, applied to one message. Pure, and it says no unless something says
// yes. Whoever asks counts what is not let in, and tells strangers how they may be.

export interface TalkRules {
  readonly dmPolicy: 'pairing' | 'allowlist' | 'open' | 'disabled'
  /** Ids and handles as people wrote them, `*` for everybody; so below. */
  readonly allowFrom: readonly string[]
  readonly groupPolicy: 'allowlist' | 'open' | 'disabled'
  readonly groupAllowFrom: readonly string[] | undefined
  readonly groups: Readonly<Record<string, GroupRules>> | undefined
}

interface GroupRules {
  readonly enabled: boolean
  readonly requireMention: boolean
  readonly allowFrom: readonly string[] | undefined
}

export interface Asker {
  readonly from: { readonly id: string; readonly handle?: string }
  readonly group?: { readonly id: string; readonly addressed: boolean }
}

/** Why somebody is not heard: the policy, the group, who they are there, or that nobody spoke to the agent. */
export type Refusal = 'disabled' | 'stranger' | 'group' | 'member' | 'unaddressed'

/** `pair`: a stranger who may ask to be let in. */
export function admit({ from, group }: Asker, rules: TalkRules, isLetIn: boolean): 'in' | 'pair' | Refusal {
  const { dmPolicy, allowFrom } = rules
  // Those whom the owner let in by a code count only where codes do.
  const isKnown = names(allowFrom, from) || (isLetIn && dmPolicy === 'pairing')
  if (group) return admitMember({ from, group, isKnown }, rules)
  if (dmPolicy === 'disabled') return 'disabled'
  if (dmPolicy === 'open' || isKnown) return 'in'
  return dmPolicy === 'pairing' ? 'pair' : 'stranger'
}

function admitMember(
  { from, group, isKnown }: Required<Asker> & { isKnown: boolean },
  { groupPolicy, groupAllowFrom, groups }: TalkRules,
): 'in' | Refusal {
  const own = groups && (Object.hasOwn(groups, group.id) ? groups[group.id] : groups['*'])
  if (groupPolicy === 'disabled' || (groups && !own?.enabled)) return 'group'
  // The narrowest list that there is holds, and wholly.
  const list = own?.allowFrom ?? (groupPolicy === 'open' ? undefined : groupAllowFrom)
  const isMember = list ? names(list, from) : groupPolicy === 'open' || isKnown
  if (!isMember) return 'member'
  return group.addressed || own?.requireMention === false ? 'in' : 'unaddressed'
}

/** `telegram:123`, `123`, `@Ada` and `ada` are all taken as people write them. */
function names(list: readonly string[], { id, handle }: Asker['from']): boolean {
  return list.some(entry => {
    const name = entry
      .trim()
      .toLowerCase()
      .replace(/^(telegram|tg):/, '')
      .replace(/^@/, '')
    return name === '*' || name === id.toLowerCase() || (handle !== undefined && name === handle)
  })
}
