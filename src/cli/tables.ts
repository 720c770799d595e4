// Tables as wide as the terminal of a command.
import type { Shell } from './shell.ts'
import { paintFor } from './text/paint.ts'
import { type Column, renderTable } from './text/table.ts'

export function tableFor(shell: Shell) {
  const look = { width: shell.stdout.columns(), paint: paintFor(shell.color) }
  return <Row>(rows: readonly Row[], columns: readonly Column<Row>[]) => renderTable(rows, columns, look)
}
