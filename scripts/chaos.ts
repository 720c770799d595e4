// `npm run chaos -- [--kills N] [--seed N]`: kills real gateways under mixed load and checks what they kept (test/chaos).
// Without a seed it draws one and prints it. Its exit code is 1 when a check failed.
import { parseArgs } from 'node:util'
import { reportLines, runChaos } from '../test/chaos/run.ts'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, seed: { type: 'string' } },
})

const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
console.log(`seed ${seed}`)
const report = await runChaos({ kills: Number(values.kills), seed, say: line => console.log(line) })
for (const line of reportLines(report)) console.log(line)
process.exit(report.failed.length === 0 ? 0 : 1)
