// `npm run powerloss -- [--writes N] [--moments N] [--seed N]`: shows on a traced gateway that what it acknowledges
// survives a power loss (test/chaos/powerloss.ts). It needs strace and says so; its exit code is 1 when a check failed.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { hasStrace, losePower, powerLossLines, STRACE_MISSING } from '../test/chaos/powerloss.ts'

const { values } = parseArgs({
  options: {
    writes: { type: 'string', default: '400' },
    moments: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
  },
})

if (!hasStrace()) {
  console.error(STRACE_MISSING)
  process.exit(1)
}
const built = spawnSync(process.execPath, [`${import.meta.dirname}/build.ts`, '--if-stale'], { stdio: 'inherit' })
if (built.status !== 0) {
  console.error(`the bundle was not built: ${built.error?.message ?? 'see above'}`)
  process.exit(1)
}
const report = await losePower({
  writes: Number(values.writes),
  moments: Number(values.moments),
  seed: Number(values.seed),
  say: line => console.log(line),
})
for (const line of powerLossLines(report)) console.log(line)
process.exit(report.failed.length === 0 ? 0 : 1)
