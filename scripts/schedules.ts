// Holds the scheduler against the naive model for as many random schedules as wanted, with a seed that repeats them:
// `node scripts/schedules.ts [how many] [seed]`. Each is held in twelve zones; the tests run 300.
import fc from 'fast-check'
import { yearsProperty } from '../test/scheduler/years.ts'

const [numRuns = '1000', seed] = process.argv.slice(2)
const details = fc.check(yearsProperty, { numRuns: Number(numRuns), ...(seed !== undefined && { seed: Number(seed) }) })
console.log(
  details.failed
    ? fc.defaultReportMessage(details)
    : `${details.numRuns} schedules in twelve zones, seed ${details.seed}: all agree`,
)
if (details.failed) process.exitCode = 1
