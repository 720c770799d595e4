// What models used and cost by day: in all, by one session or by one job. Days are those of the gateway's zone.
import type { Result } from '../../protocol/catalogue.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { resolveJobId } from '../jobs.ts'
import { EXIT } from '../shell.ts'
import { tableFor } from '../tables.ts'
import type { Column } from '../text/table.ts'

const DAYS_MAX = 365

type Totals = Result<'usage.cost'>['totals']

const count = (of: (row: Totals) => number) => (row: Totals) => of(row).toLocaleString('en')
const COLUMNS: readonly Column<Totals & { readonly date: string }>[] = [
  { title: 'Day', cell: ({ date }) => date },
  { title: 'Input', cell: count(row => row.input + row.cacheRead + row.cacheWrite) },
  { title: 'Cached', cell: count(row => row.cacheRead), leaves: 1 },
  { title: 'Output', cell: count(row => row.output) },
  { title: 'US$', cell: row => row.totalCost.toFixed(4) },
  { title: 'Unpriced', cell: count(row => row.missingCostEntries), leaves: 2 },
]

export const usage: Run = async (args, shell) => {
  const days = args.whole('days', { min: 1, max: DAYS_MAX })
  const [session, job] = [args.text('session'), args.text('job')]
  if (session !== undefined && job !== undefined) throw args.usage('Give --session or --job, not both.')
  const answer = await withGateway(args, shell, async link =>
    link.call('usage.cost', {
      ...(days !== undefined && { days }),
      ...(session !== undefined && { sessionKey: session }),
      ...(job !== undefined && { jobId: await resolveJobId(job, link) }),
    }),
  )
  if (args.has('json')) writeJson(shell, answer)
  else {
    const rows = [...answer.daily, { date: 'total', ...answer.totals }]
    shell.stdout.write(tableFor(shell)(rows, COLUMNS))
  }
  return EXIT.ok
}
