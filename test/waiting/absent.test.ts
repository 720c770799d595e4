// Shapes that cannot exist yet, because what they are made of does not: each test shows that it is not there. One that
// fails says that it has come: then docs/internals/waiting.md needs to say what Sluice does, and a trap goes here.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from './house.ts'

/** Keys of the family's config that would bring such a feature. */
const CONFIG = {
  channels: { telegram: { enabled: true } },
  plugins: { enabled: true },
}
const DEFAULTS = { heartbeat: { every: '30m' }, cliBackends: {} }

const house = new House(8)
beforeAll(() => house.open(DEFAULTS, CONFIG))
afterAll(() => house.close())

/** What this version says at start of the keys that it does not use. */
function expectUnused(...keys: string[]): void {
  const unused = /not used by this version: (.+)/.exec(house.gateway.output)?.[1]?.split(', ')
  expect(unused).toEqual(expect.arrayContaining(keys))
}

function expectNoMethod(pattern: RegExp): void {
  expect(house.methods.length).toBeGreaterThan(0)
  expect(house.methods.filter(name => pattern.test(name))).toEqual([])
}

test('WAIT-35 W7: there are no channels whose messages could queue behind the turn they are meant for', async () => {
  expect(await house.client.call('health', {})).toMatchObject({ channels: {} })
  expectNoMethod(/^(channels\.|send$|poll$)/)
  expectUnused('channels')
})

test('WAIT-39 W2: there are no heartbeats that could wait for a free moment', () => {
  expectNoMethod(/heartbeat/)
  expectUnused('agents.defaults.heartbeat')
})

test('WAIT-41 W5: there are no command-line backends with queues of their own', () => {
  expectUnused('agents.defaults.cliBackends')
})
