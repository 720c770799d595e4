// What is set for one session, and its end: settings and label, deletion, and texts that a client puts into it. Nothing
// here touches turns: whoever deletes a session stops them first.
import { SluiceError } from '../../base/errors.ts'
import { once, onceSame } from './keys.ts'
import type { WriteFunctions } from './tx.ts'
import { ensureSession, findSession, writeNotice } from './writes-sessions.ts'

const SET = `UPDATE sessions SET settings = :settings, label = :label, model = iif(:modelSet, NULL, model),
  updated_at_ms = max(updated_at_ms, :nowMs) WHERE key = :key`
const FIND_LABEL = 'SELECT 1 FROM sessions WHERE label = ? AND key <> ?'
const DELETE = "UPDATE sessions SET deleted_at_ms = ?, settings = '{}', label = NULL WHERE key = ?"
const FORGET_ROUTE = 'DELETE FROM routes WHERE session_key = ?'

const patchSession: WriteFunctions['patchSession'] = (tx, { sessionKey, agentId, patch, ...call }) =>
  onceSame(tx, call, () => {
    const { nowMs } = call
    const session = ensureSession(tx, { key: sessionKey, agentId, nowMs })
    const { label = session.label ?? null, ...rest } = patch
    if (label !== null && tx.get(FIND_LABEL, [label, sessionKey])) throw labelTaken(label)
    const all = Object.entries({ ...session.settings, ...rest })
    const settings = JSON.stringify(Object.fromEntries(all.filter(([, value]) => value !== null)))
    tx.run(SET, { key: sessionKey, settings, label, nowMs, modelSet: 'model' in rest ? 1 : 0 })
    return ensureSession(tx, { key: sessionKey, agentId, nowMs })
  })

function labelTaken(label: string): SluiceError {
  return new SluiceError('CONFLICT', `label already in use: ${label}`, { details: { label }, outcome: 'not-started' })
}

const deleteSession: WriteFunctions['deleteSession'] = (tx, { sessionKey, ...call }) =>
  onceSame(tx, call, () => {
    const session = findSession(tx, sessionKey)
    if (!session) return { deleted: false }
    tx.run(DELETE, [call.nowMs, sessionKey])
    tx.run(FORGET_ROUTE, [sessionKey])
    return { deleted: true, sessionId: session.sessionId }
  })

const tellSession: WriteFunctions['tellSession'] = (tx, { notice, ...call }) =>
  once(tx, {
    ...call,
    make: () => {
      if (!findSession(tx, notice.sessionKey)) {
        throw new SluiceError('NOT_FOUND', 'session not found', { outcome: 'not-started' })
      }
      writeNotice(tx, notice, call.nowMs)
      return { id: notice.id }
    },
    keep: told => told,
    again: kept => kept,
  })

export const sessionAdminWrites = { patchSession, deleteSession, tellSession }
