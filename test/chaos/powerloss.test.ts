// The short form of `npm run powerloss`.
import { expect, test } from 'vitest'
import { hasStrace, losePower, powerLossLines, STRACE_MISSING } from './powerloss.ts'

const WRITES = 120
const traceable = hasStrace()
if (!traceable) console.log(`skipped: ${STRACE_MISSING}`)

// Without strace nobody can say what was synced when; the reason is printed above.
test.skipIf(!traceable)(
  'L1: what was acknowledged survives a power loss at any moment',
  async () => {
    const report = await losePower({ writes: WRITES, moments: 10, seed: 1 })
    console.log(powerLossLines(report).join('\n'))
    expect(report.failed).toEqual([])
    expect(report).toMatchObject({ acknowledged: WRITES, ordered: WRITES })
    // A trace in which the log was never copied back would show half of it.
    expect(report.logs).toBeGreaterThan(1)
  },
  300_000,
)
