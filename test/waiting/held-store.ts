// A store in which nobody else can write, as when a person's shell holds a transaction open.
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { House } from './house.ts'

/** Held until the answer is called. */
export function heldStore({ gateway, scope }: House): () => void {
  const db = new Database(join(gateway.stateDir, 'sluice.db'))
  scope.onEnd(() => {
    db.close()
  })
  db.exec('BEGIN IMMEDIATE')
  return () => db.close()
}
