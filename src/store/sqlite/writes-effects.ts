// Effects that are not the store's own (replay `none`): that one began is on disk before it does, so that nobody begins it
// twice; its answer follows. What began and has no answer is unknown, and stays so: nobody here guesses.

import { fromJson } from './failures.ts'
import { BEGUN, FIND_KEY, INSERT_KEY, keyNames, sameParams } from './keys.ts'
import { fresh, type WriteFunctions } from './tx.ts'

const IS_BEGUN = `principal = ? AND method = ? AND key = ? AND outcome = '${BEGUN}'`
const ANSWER = `UPDATE keys SET outcome = ? WHERE ${IS_BEGUN}`
const FORGET = `DELETE FROM keys WHERE ${IS_BEGUN}`

const beginEffect: WriteFunctions['beginEffect'] = (tx, { key, nowMs }) => {
  const names = keyNames(key)
  const row = sameParams(key, tx.get(FIND_KEY, names))
  if (row?.outcome === BEGUN) return { value: { state: 'unknown' }, repeated: true }
  if (row) return { value: { state: 'done', answer: fromJson(row.outcome) }, repeated: true }
  tx.run(INSERT_KEY, [...names, key.paramsHash, BEGUN, nowMs])
  return fresh({ state: 'new' })
}

const finishEffect: WriteFunctions['finishEffect'] = (tx, { key, answer, undone }) => {
  const names = keyNames(key)
  sameParams(key, tx.get(FIND_KEY, names))
  const { changes } = undone ? tx.run(FORGET, names) : tx.run(ANSWER, [JSON.stringify(answer ?? null), ...names])
  return fresh({ kept: changes === 1 })
}

export const effectWrites = { beginEffect, finishEffect }
