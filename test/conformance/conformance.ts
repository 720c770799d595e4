// How a test cites what it shows. A fact with a gap must fail, until the gap is taken away.
import { test } from 'vitest'
import { REQUIREMENTS, type Requirement, type RequirementId } from './requirements.ts'

export function conformance(id: RequirementId, show: () => Promise<void> | void): void {
  const { text, gap }: Requirement = REQUIREMENTS[id]
  if (gap === undefined) test(`${id}: ${text}`, show)
  // What is a gap must fail, and does so.
  else test.fails(`${id} (gap: ${gap}): ${text}`, show)
}
