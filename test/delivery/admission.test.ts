// Who may talk: for every policy and person, the rule says no unless something that the owner wrote or did says yes.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Asker, admit, type TalkRules } from '../../src/delivery/admission.ts'

const rules = (more: Partial<TalkRules> = {}): TalkRules => ({
  ...{ dmPolicy: 'pairing', allowFrom: [], groupPolicy: 'allowlist', groupAllowFrom: undefined, groups: undefined },
  ...more,
})
const ada = { id: '1', handle: 'ada' }
const direct: Asker = { from: ada }
const inGroup = (addressed = true): Asker => ({ from: ada, group: { id: '-5', addressed } })

describe('a direct chat', () => {
  test.each([
    [rules(), false, 'pair'],
    [rules(), true, 'in'],
    [rules({ dmPolicy: 'allowlist' }), true, 'stranger'],
    [rules({ dmPolicy: 'allowlist', allowFrom: ['1'] }), false, 'in'],
    [rules({ dmPolicy: 'open' }), false, 'in'],
    [rules({ dmPolicy: 'disabled', allowFrom: ['1'] }), true, 'disabled'],
    ...['1', '@Ada', 'ada', 'telegram:1', 'tg:1', '*'].map(
      name => [rules({ allowFrom: [name] }), false, 'in'] as const,
    ),
    ...['11', 'a', ''].map(name => [rules({ allowFrom: [name] }), false, 'pair'] as const),
  ] as const)('%j, let in: %s: %s', (given, isLetIn, expected) => {
    expect(admit(direct, given, isLetIn)).toBe(expected)
  })
})

describe('a group', () => {
  const groups = (own: object) => ({ '-5': { enabled: true, requireMention: true, allowFrom: undefined, ...own } })
  test.each([
    [rules(), false, 'member'],
    [rules(), true, 'in'],
    [rules({ groupPolicy: 'open' }), false, 'in'],
    [rules({ groupPolicy: 'disabled', allowFrom: ['*'] }), true, 'group'],
    [rules({ groupAllowFrom: ['2'] }), true, 'member'],
    [rules({ groupAllowFrom: ['1'] }), false, 'in'],
    [rules({ groups: groups({}) }), true, 'in'],
    [rules({ groups: groups({ enabled: false }) }), true, 'group'],
    [rules({ groups: groups({ allowFrom: ['2'] }), groupPolicy: 'open' }), true, 'member'],
    [rules({ groups: { '-6': groups({})['-5'] } }), true, 'group'],
    [rules({ groups: { '*': groups({})['-5'] } }), true, 'in'],
  ] as const)('%j, let in: %s: %s', (given, isLetIn, expected) => {
    expect(admit(inGroup(), given, isLetIn)).toBe(expected)
  })

  test('what nobody said to the agent is heard only where the group says so', () => {
    expect(admit(inGroup(false), rules(), true)).toBe('unaddressed')
    expect(admit(inGroup(false), rules({ groups: groups({ requireMention: false }) }), true)).toBe('in')
  })
})

test('whom nothing names, whom nobody let in and whom no policy opens to is never heard', () => {
  const list = fc.array(fc.constantFrom('2', '@bob', 'telegram:3'))
  const own = fc.record({
    enabled: fc.boolean(),
    requireMention: fc.boolean(),
    allowFrom: fc.option(list, { nil: undefined }),
  })
  const given = fc.record({
    dmPolicy: fc.constantFrom('pairing', 'allowlist', 'disabled'),
    allowFrom: list,
    groupPolicy: fc.constantFrom('allowlist', 'disabled'),
    groupAllowFrom: fc.option(list, { nil: undefined }),
    groups: fc.option(fc.dictionary(fc.constantFrom('-5', '*'), own), { nil: undefined }),
  })
  const asker = fc.constantFrom(direct, inGroup(true), inGroup(false))
  fc.assert(
    fc.property(given, asker, (narrow, who) => {
      expect(admit(who, narrow as TalkRules, false)).not.toBe('in')
    }),
  )
})
