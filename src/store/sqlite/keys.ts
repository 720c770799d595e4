// Idempotency keys (T1): the row that makes an effect happen once is written in the effect's own commit. It knows
// nothing of methods; a failed call leaves no key, because its savepoint takes the row back with the rest.
import { SluiceError } from '../../base/errors.ts'
import type { EffectKey, WriteAnswer } from '../port.ts'
import { fromJson } from './failures.ts'
import { fresh, type Tx } from './tx.ts'

export const FIND_KEY = 'SELECT params_hash, outcome FROM keys WHERE principal = ? AND method = ? AND key = ?'
export const INSERT_KEY =
  'INSERT INTO keys (principal, method, key, params_hash, outcome, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)'

/** The outcome of an effect that began and has no answer yet; no JSON, so that no answer is like it. */
export const BEGUN = 'begun'

export interface KeyColumns {
  readonly params_hash: string
  readonly outcome: string
}

export function keyNames({ principal, method, key }: EffectKey) {
  return [principal, method, key] as const
}

/** The row found under a key. Throws CONFLICT when the key was used with other params. */
export function sameParams(key: EffectKey, row: KeyColumns | undefined): KeyColumns | undefined {
  if (!row || row.params_hash === key.paramsHash) return row
  throw new SluiceError(
    'CONFLICT',
    `The idempotency key ${key.key} was used before for another ${key.method}. Use a new key for a new request.`,
    { details: { key: key.key }, outcome: 'not-started' },
  )
}

export interface Once<T, K> {
  readonly key?: EffectKey | undefined
  readonly nowMs: number
  /** Makes the effect. */
  make(): T
  /** What to keep of the first answer; undefined when there was no effect, so that no key is kept either. */
  keep(value: T): K | undefined
  /** The answer to a repeat: the first one, or for `attach` the present state. */
  again(kept: K): T
}

/** Makes an effect once per key. Throws CONFLICT when the key was used with other params. */
export function once<T, K>(tx: Tx, { key, nowMs, make, keep, again }: Once<T, K>): WriteAnswer<T> {
  if (!key) return fresh(make())
  const names = keyNames(key)
  const row = sameParams(key, tx.get(FIND_KEY, names))
  if (row) return { value: again(fromJson(row.outcome)), repeated: true }
  const value = make()
  const kept = keep(value)
  if (kept !== undefined) tx.run(INSERT_KEY, [...names, key.paramsHash, JSON.stringify(kept), nowMs])
  return fresh(value)
}

/** For functions whose repeat answers just what the first call did. */
export function onceSame<T>(tx: Tx, call: { key?: EffectKey; nowMs: number }, make: () => T): WriteAnswer<T> {
  return once(tx, { key: call.key, nowMs: call.nowMs, make, keep: value => value, again: (kept: T) => kept })
}
