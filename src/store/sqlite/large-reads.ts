// Reads whose rows may be many or long: each is one select, which with its columns is the read, and with sums in their
// place says how much there is to read. SQLite answers the length of a text without reading the text, so that megabytes
// are measured at the cost of their rows' first pages. It decides nothing about where they are then read.
import type { LargeReadName, StoreReads } from '../port.ts'
import type { Params, Select } from './select.ts'

export interface LargeRead<A extends readonly unknown[], R> {
  read(...args: A): R
  /** Bytes of the long texts that `read` with these arguments would answer. */
  bytes(...args: A): number
}

/** The reads by name, each with its measure. */
export type LargeReadsHere = {
  readonly [N in LargeReadName]: LargeRead<Parameters<StoreReads[N]>, ReturnType<StoreReads[N]>>
}

interface Described<A extends readonly unknown[], Row, R> {
  /** The select with these columns. */
  readonly sql: (columns: string) => string
  /** Default: all. */
  readonly columns?: string
  /** The columns that can be long; the others are ids, instants and counts. */
  readonly long: readonly string[]
  readonly params: (...args: A) => Params
  readonly made: (rows: Row[]) => R
}

export function largeRead<A extends readonly unknown[], Row, R>(
  select: Select,
  { sql, columns = '*', long, params, made }: Described<A, Row, R>,
): LargeRead<A, R> {
  const rows = select<Row>(sql(columns))
  const length = long.map(column => `ifnull(octet_length(${column}), 0)`).join(' + ')
  const sum = select<{ bytes: number }>(`SELECT total(bytes) AS bytes FROM (${sql(`${length} AS bytes`)})`)
  return {
    read: (...args) => made(rows.all(params(...args))),
    bytes: (...args) => sum.get(params(...args))?.bytes ?? 0,
  }
}
