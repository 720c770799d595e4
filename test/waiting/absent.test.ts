// Shapes that cannot exist yet, because what they are made of does not: each test shows that it is not there. One that
// fails says that it has come: then docs/internals/waiting.md needs to say what Sluice does, and a trap goes here.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from './house.ts'

/** Keys of the family's config that would bring such a feature. */
const CONFIG = {
  plugins: { enabled: true },
}
const DEFAULTS = { cliBackends: {} }

const house = new House(8)
beforeAll(() => house.open(DEFAULTS, CONFIG))
afterAll(() => house.close())

/** What this version says at start of the keys that it does not use. */
function expectUnused(...keys: string[]): void {
  const unused = /not used by this version: (.+)/.exec(house.gateway.output)?.[1]?.split(', ')
  expect(unused).toEqual(expect.arrayContaining(keys))
}

test('WAIT-41 W5: there are no command-line backends with queues of their own', () => {
  expectUnused('agents.defaults.cliBackends')
})
