// Three years of random schedules, each in twelve zones, minute by minute.
import fc from 'fast-check'
import { test } from 'vitest'
import { yearsProperty } from './years.ts'

// bound: about a minute on an idle core.
test('L3: every schedule fires at the instants of the model and at no others', { timeout: 600_000 }, () => {
  fc.assert(yearsProperty, { numRuns: 300 })
})
