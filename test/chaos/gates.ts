// Gates around the statements of the writer's database: before and after the COMMIT of a group that accepts a message,
// and between the steps of a migration. It changes no statement and no order; unless a point is armed, each runs as always.
import { dirname } from 'node:path'
import { parentPort } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { standStill } from './signs.ts'

let folder = ''
// What the writer is told first; the writer hears it after us.
parentPort?.once('message', (stateDir: string) => {
  folder = dirname(stateDir)
})
const { prepare, exec, pragma } = Database.prototype
/** Whether the open transaction has taken a message. */
let accepts = false
let booted = false

function around(statement: Database.Statement, gates: { before?(): void; after?(): void }): Database.Statement {
  const run = statement.run.bind(statement)
  statement.run = (...params: unknown[]) => {
    gates.before?.()
    const result = run(...params)
    gates.after?.()
    return result
  }
  return statement
}

const commitGates = {
  before() {
    if (!booted) standStill(folder, 'boot')
    booted = true
    if (accepts) standStill(folder, 'before-commit')
  },
  after() {
    if (accepts) standStill(folder, 'after-commit')
    accepts = false
  },
}

Database.prototype.prepare = function gated(this: Database.Database, sql: string) {
  const statement = prepare.call(this, sql)
  if (sql === 'COMMIT') return around(statement, commitGates)
  if (sql.startsWith('VACUUM INTO')) return around(statement, { before: () => standStill(folder, 'copying') })
  const accept = () => {
    accepts = true
  }
  return sql.startsWith('INSERT INTO inbox') ? around(statement, { after: accept }) : statement
} as typeof prepare

const isStore = (db: Database.Database) => db.name.endsWith('/sluice.db')

Database.prototype.exec = function gated(this: Database.Database, sql: string) {
  exec.call(this, sql)
  if (MIGRATIONS.includes(sql)) standStill(folder, isStore(this) ? 'migrating' : 'trying')
  return this
}

Database.prototype.pragma = function gated(this: Database.Database, source: string, options?: Database.PragmaOptions) {
  const result = pragma.call(this, source, options)
  if (source.startsWith('user_version =') && isStore(this)) standStill(folder, 'numbered')
  return result
}
