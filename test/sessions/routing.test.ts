// Whose a chat is: the binding that says most about it, whatever the order in which they stand.
import { expect, test } from 'vitest'
import { agentOfChat, type Chat } from '../../src/sessions/routing.ts'

const binding = (agentId: string, channel: string, more: object = {}) => ({
  ...{ agentId, channel, accountId: undefined, peer: undefined },
  ...more,
})
const BINDINGS = [
  binding('all', 'telegram', { accountId: '*' }),
  binding('own', 'telegram'),
  binding('work', 'telegram', { accountId: 'work' }),
  binding('boss', 'telegram', { accountId: '*', peer: { kind: 'dm', id: 'Boss' } }),
  binding('team', 'telegram', { accountId: 'work', peer: { kind: 'group', id: '7' } }),
]

test.each<[Partial<Chat>, string]>([
  [{ id: '1' }, 'own'],
  [{ id: '1', accountId: 'default' }, 'own'],
  [{ id: '1', accountId: 'WORK' }, 'work'],
  [{ id: '1', accountId: 'third' }, 'all'],
  [{ id: 'boss', kind: 'dm' }, 'boss'],
  [{ id: 'boss', kind: 'dm', accountId: 'third' }, 'boss'],
  [{ id: 'boss', kind: 'group' }, 'own'],
  // A channel that does not tell what kind a chat is has one chat of an id.
  [{ id: 'boss' }, 'boss'],
  [{ id: '7', kind: 'group', accountId: 'work' }, 'team'],
  [{ id: '7', kind: 'group' }, 'own'],
  [{ id: '1', channel: 'matrix' }, 'main'],
])('%j is of %s', (chat, agent) => {
  const asked = { channel: 'telegram', id: '', ...chat }
  for (const bindings of [BINDINGS, BINDINGS.toReversed()]) expect(agentOfChat(asked, bindings, 'main')).toBe(agent)
})

test('of two that say as much the first counts', () => {
  const two = [binding('first', 'irc'), binding('second', 'irc')]
  expect(agentOfChat({ channel: 'irc', id: '1' }, two, 'main')).toBe('first')
})
