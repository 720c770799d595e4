// Questions to the database of a boot, prepared once for each connection: the checkers look after every step.
import type { Database, Statement } from 'better-sqlite3'

const statements = new WeakMap<Database, Map<string, Statement>>()

export function ask(reader: Database, sql: string): Statement {
  const known = statements.get(reader) ?? new Map<string, Statement>()
  statements.set(reader, known)
  const statement = known.get(sql) ?? reader.prepare(sql)
  known.set(sql, statement)
  return statement
}
