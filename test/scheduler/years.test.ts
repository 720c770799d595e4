// Three years of random schedules in twelve zones, minute by minute.
import fc from 'fast-check'
import { test } from 'vitest'
import { yearsProperty } from './years.ts'

// bound: about 10 s on an idle core.
test('L3: every schedule fires at the instants of the model and at no others', { timeout: 180_000 }, () => {
  fc.assert(yearsProperty, { numRuns: 300 })
})
