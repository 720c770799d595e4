// Which models there are, and in which order they are asked.
import type { Result } from '../../protocol/catalogue.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT } from '../shell.ts'
import { paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { type Column, renderTable } from '../text/table.ts'

const COLUMNS: readonly Column<Result<'models.list'>['models'][number]>[] = [
  { title: 'Model', cell: row => sanitizeLine(row.ref), widthMin: 16 },
  { title: 'Asked', cell: ({ order }) => (order === undefined ? '' : order === 1 ? 'first' : `as no. ${order}`) },
  { title: 'Name', cell: row => sanitizeLine(row.name), widthMin: 12, leaves: 2 },
  {
    title: 'Context',
    cell: ({ contextWindow }) => (contextWindow === undefined ? '' : String(contextWindow)),
    leaves: 1,
  },
]

export const list: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, ({ call }) => call('models.list', {}))
  if (args.has('json')) writeJson(shell, answer)
  else {
    const look = { width: shell.stdout.columns(), paint: paintFor(shell.color) }
    const order = (model: { readonly order?: number | undefined }) => model.order ?? Number.MAX_SAFE_INTEGER
    const rows = [...answer.models].sort((a, b) => order(a) - order(b))
    shell.stdout.write(renderTable(rows, COLUMNS, look))
    for (const { problem } of answer.problems) shell.stdout.write(`${sanitizeLine(problem)}\n`)
  }
  return EXIT.ok
}
