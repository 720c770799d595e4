// `npm run simulate -- [--seeds N] [--from S] [--seed S] [--world W] [--mutants [--name TEXT]]`: runs the simulator of
// test/simulation. With one seed it tells everything that happens; with `--world plain` or `asking` less may happen than
// the seed says, and `--world months` is another one, of jobs over months; with `--mutants` it shows which planted fault
// is caught by which seed. It judges nothing itself; its exit code is 1 when a checker found something, or a mutant was
// missed.
import { parseArgs } from 'node:util'
import { MONTHS_MUTANTS } from '../test/simulation/months/mutants.ts'
import { huntInMonths, monthsLine, monthsReplayLine, runMonths } from '../test/simulation/months/seeds.ts'
import { MUTANTS } from '../test/simulation/mutants.ts'
import type { World } from '../test/simulation/scenario.ts'
import { type Caught, hunt, mutantTable, replayLine, runSeeds, summaryLine } from '../test/simulation/seeds.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    world: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    name: { type: 'string', default: '' },
  },
})

const isMonths = values.world === 'months'
if (values.mutants) await huntMutants(Number(values.seeds))
else await simulateSeeds()

async function simulateSeeds(): Promise<void> {
  const one = values.seed === undefined ? undefined : Number(values.seed)
  const range = {
    from: one ?? Number(values.from),
    count: one === undefined ? Number(values.seeds) : 1,
    ...(one !== undefined && { listen: (line: string) => console.log(line) }),
  }
  if (isMonths) {
    const report = await runMonths(range)
    for (const failed of report.failed) console.log(monthsReplayLine(failed))
    console.log(monthsLine(report))
    process.exitCode = report.failed.length > 0 ? 1 : 0
    return
  }
  const report = await runSeeds({ ...range, ...(values.world !== undefined && { world: values.world as World }) })
  for (const failed of report.failed) console.log(replayLine(failed))
  console.log(summaryLine(report))
  process.exitCode = report.failed.length > 0 ? 1 : 0
}

async function huntMutants(seeds: number): Promise<void> {
  const caught: Caught[] = []
  const wanted = (isMonths ? MONTHS_MUTANTS : MUTANTS).filter(({ name }) => name.includes(values.name))
  for (const mutant of wanted)
    caught.push(await (isMonths ? huntInMonths(mutant, { seeds, days: 75 }) : hunt(mutant, { seeds, hinted: false })))
  const missed = caught.filter(one => one.seed === undefined)
  console.log(mutantTable(caught))
  console.log(`${caught.length - missed.length} of ${caught.length} planted faults were caught within ${seeds} seeds`)
  process.exitCode = missed.length > 0 ? 1 : 0
}
