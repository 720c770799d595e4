// Tables for terminals: as wide as their content where there is room; narrower where a column allows it, and without the
// least important columns where that is not enough. Without a terminal nothing is cut: scripts read whole values.
import type { Paint } from './paint.ts'
import { padEnd, textWidth, truncate } from './width.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  /** How narrow it may become; default: not narrower than its content. */
  readonly widthMin?: number
  /** Columns leave in this order, lowest first; default: never. */
  readonly leaves?: number
  readonly paint?: (text: string, row: Row) => string
}

interface Fitted<Row> {
  readonly column: Column<Row>
  readonly natural: number
  width: number
}

export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  look: { width: number | undefined; paint: Paint },
): string {
  const fitted = fitColumns(rows, columns, look.width)
  const line = (cellOf: (each: Fitted<Row>) => string) => fitted.map(cellOf).join(' ').trimEnd()
  const padded = (text: string, width: number) => padEnd(truncate(text, width), width)
  const header = look.paint.bold(line(({ column, width }) => padded(column.title, width)))
  const body = rows.map(row =>
    line(({ column, width }) => {
      const text = padded(column.cell(row), width)
      return column.paint ? column.paint(text, row) : text
    }),
  )
  return `${[header, ...body].join('\n')}\n`
}

function fitColumns<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  available: number | undefined,
): Fitted<Row>[] {
  let fitted = columns.map(column => {
    const natural = Math.max(textWidth(column.title), ...rows.map(row => textWidth(column.cell(row))))
    return { column, natural, width: natural }
  })
  if (available === undefined) return fitted
  const least = ({ column, natural }: Fitted<Row>) => Math.min(natural, column.widthMin ?? natural)
  const total = (widthOf: (each: Fitted<Row>) => number) => fitted.reduce((sum, each) => sum + widthOf(each) + 1, -1)
  while (total(least) > available) {
    const leaving = fitted
      .filter(({ column }) => column.leaves !== undefined)
      .sort((a, b) => (a.column.leaves ?? 0) - (b.column.leaves ?? 0))[0]
    if (!leaving) break
    fitted = fitted.filter(each => each !== leaving)
  }
  for (let over = total(each => each.width) - available; over > 0; over -= 1) {
    const widest = fitted.filter(each => each.width > least(each)).sort((a, b) => b.width - a.width)[0]
    if (!widest) break
    widest.width -= 1
  }
  return fitted
}
