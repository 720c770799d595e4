// Devices: let in, asked for, refused, given another token, shut out. Each change is one commit with the event that tells
// clients. No token is ever written, only what proves one.
import { SluiceError } from '../../base/errors.ts'
import type { DevicePairRequestedEvent, DevicePairResolvedEvent } from '../../protocol/events.ts'
import type { DeviceRow, DeviceTokenRow, NewPairing, PairingRow, TokenSeal } from '../port-devices.ts'
import {
  type DeviceColumns,
  FIND_DEVICE,
  FIND_PAIRING,
  type PairingColumns,
  TOKENS_OF,
  type TokenColumns,
  toDevice,
  toPairing,
  toToken,
} from './devices.ts'
import { onceSame } from './keys.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'

/** Paired devices; one more is refused. */
export const DEVICES_MAX = 1_000
/** Devices that wait to be let in; one more is told to come again. */
export const PAIRINGS_MAX = 100
const BUSY_RETRY_MS = 60_000

const UPSERT_DEVICE = `INSERT INTO devices (device_id, public_key, display_name, platform, client_id, client_mode, role,
    remote_ip, created_at_ms, approved_at_ms)
  VALUES (:deviceId, :publicKey, :displayName, :platform, :clientId, :clientMode, :role, :remoteIp, :nowMs, :nowMs)
  ON CONFLICT (device_id) DO UPDATE SET display_name = excluded.display_name, platform = excluded.platform,
    client_id = excluded.client_id, client_mode = excluded.client_mode, role = excluded.role,
    remote_ip = excluded.remote_ip, approved_at_ms = excluded.approved_at_ms`
const COUNT_DEVICES = 'SELECT count(*) AS n FROM devices'
const DROP_TOKENS_REVOKED = `DELETE FROM device_tokens WHERE device_id NOT IN
  (SELECT device_id FROM device_tokens WHERE revoked_at_ms IS NULL)`
const DROP_DEVICES_WITHOUT = 'DELETE FROM devices WHERE device_id NOT IN (SELECT device_id FROM device_tokens)'

const FIND_TOKEN = 'SELECT * FROM device_tokens WHERE device_id = ? AND role = ?'
const INSERT_TOKEN = `INSERT OR REPLACE INTO device_tokens (device_id, role, scopes, salt, hash, created_at_ms,
    rotated_at_ms, last_used_at_ms) VALUES (:deviceId, :role, :scopes, :salt, :hash, :createdAtMs, :rotatedAtMs, :usedAtMs)`
const REVOKE_TOKEN = 'UPDATE device_tokens SET revoked_at_ms = ? WHERE device_id = ? AND role = ?'
const USE_TOKEN = 'UPDATE device_tokens SET last_used_at_ms = ? WHERE device_id = ? AND role = ?'
const MOVE_DEVICE = 'UPDATE devices SET remote_ip = ? WHERE device_id = ?'

const FIND_PAIRING_OF = 'SELECT * FROM pairings WHERE device_id = ?'
const DROP_PAIRING_OF = 'DELETE FROM pairings WHERE device_id = ?'
const DROP_EXPIRED = 'DELETE FROM pairings WHERE expires_at_ms <= ?'
const COUNT_PAIRINGS = 'SELECT count(*) AS n FROM pairings'
const INSERT_PAIRING = `INSERT INTO pairings (request_id, device_id, public_key, display_name, platform, client_id,
    client_mode, role, scopes, remote_ip, is_repair, created_at_ms, expires_at_ms)
  VALUES (:requestId, :deviceId, :publicKey, :displayName, :platform, :clientId,
    :clientMode, :role, :scopes, :remoteIp, :isRepair, :nowMs, :expiresAtMs)`

/** Clients match the words. */
function notFound(message: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
}

function findDevice(tx: Tx, deviceId: string): DeviceRow | undefined {
  const row = tx.get<DeviceColumns>(FIND_DEVICE, [deviceId])
  return row && toDevice(row, tx.all<TokenColumns>(TOKENS_OF, [deviceId]))
}

function requireToken(tx: Tx, deviceId: string, role: string): DeviceTokenRow {
  const row = tx.get<TokenColumns>(FIND_TOKEN, [deviceId, role])
  if (!row) throw notFound('unknown deviceId/role')
  return toToken(row)
}

function requirePairing(tx: Tx, requestId: string, nowMs: number): PairingRow {
  const row = tx.get<PairingColumns>(FIND_PAIRING, [requestId, nowMs])
  if (!row) throw notFound('unknown requestId')
  return toPairing(row)
}

function columnsOf({ deviceId, publicKey, displayName, platform, clientId, clientMode, role, remoteIp }: NewPairing) {
  const facts = { deviceId, publicKey, platform, clientId, clientMode, role }
  return { ...facts, displayName: displayName ?? null, remoteIp: remoteIp ?? null }
}

/** Room for one more device: those that were shut out go first. */
function makeRoom(tx: Tx): void {
  const isFull = () => (tx.get<{ n: number }>(COUNT_DEVICES)?.n ?? 0) >= DEVICES_MAX
  if (!isFull()) return
  tx.run(DROP_TOKENS_REVOKED)
  tx.run(DROP_DEVICES_WITHOUT)
  if (!isFull()) return
  throw new SluiceError(
    'LIMIT',
    `${DEVICES_MAX} devices are paired, and that is the limit. Revoke those that are no longer used: sluice devices list`,
    { outcome: 'not-started' },
  )
}

function letIn(tx: Tx, { pairing, seal, nowMs }: { pairing: NewPairing; seal: TokenSeal; nowMs: number }): DeviceRow {
  const { deviceId, role, requestId } = pairing
  if (!findDevice(tx, deviceId)) makeRoom(tx)
  tx.run(UPSERT_DEVICE, { ...columnsOf(pairing), nowMs })
  const found = tx.get<TokenColumns>(FIND_TOKEN, [deviceId, role])
  const before = found && toToken(found)
  const lives = before && before.revokedAtMs === undefined
  const scopes = [...new Set([...(lives ? before.scopes : []), ...pairing.scopes])].sort()
  if (!lives || scopes.length !== before.scopes.length) {
    const since = { createdAtMs: before?.createdAtMs ?? nowMs, rotatedAtMs: before ? nowMs : null }
    tx.run(INSERT_TOKEN, { deviceId, role, ...seal, ...since, scopes: JSON.stringify(scopes), usedAtMs: null })
  }
  tx.run(DROP_PAIRING_OF, [deviceId])
  emitResolved(tx, { requestId, deviceId, decision: 'approved', ts: nowMs })
  return findDevice(tx, deviceId) as DeviceRow
}

function emitResolved(tx: Tx, event: DevicePairResolvedEvent): void {
  tx.emit('device.pair.resolved', event)
}

const pairDevice: WriteFunctions['pairDevice'] = (tx, args) => fresh(letIn(tx, args))

const requestPairing: WriteFunctions['requestPairing'] = (tx, { pairing, nowMs }) => {
  tx.run(DROP_EXPIRED, [nowMs])
  const { requestId, deviceId, role, expiresAtMs } = pairing
  const scopes = JSON.stringify([...pairing.scopes].sort())
  const open = tx.get<PairingColumns>(FIND_PAIRING_OF, [deviceId])
  if (open?.role === role && open.scopes === scopes) return { value: toPairing(open), repeated: true }
  tx.run(DROP_PAIRING_OF, [deviceId])
  if ((tx.get<{ n: number }>(COUNT_PAIRINGS)?.n ?? 0) >= PAIRINGS_MAX) {
    const message = `${PAIRINGS_MAX} devices wait to be let in already. Approve or reject some, or try again in some minutes.`
    throw new SluiceError('BUSY', message, { outcome: 'not-started', retryAfterMs: BUSY_RETRY_MS })
  }
  const isRepair = findDevice(tx, deviceId) !== undefined
  tx.run(INSERT_PAIRING, {
    ...columnsOf(pairing),
    ...{ requestId, scopes, nowMs, expiresAtMs, isRepair: isRepair ? 1 : 0 },
  })
  const made = requirePairing(tx, requestId, nowMs)
  const { createdAtMs: ts, expiresAtMs: _, ...said } = made
  const event: DevicePairRequestedEvent = { ...said, roles: [role], silent: false, ts }
  tx.emit('device.pair.requested', event)
  return fresh(made)
}

const approvePairing: WriteFunctions['approvePairing'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { requestId, seal, nowMs } = args
    return { requestId, device: letIn(tx, { pairing: requirePairing(tx, requestId, nowMs), seal, nowMs }) }
  })

const rejectPairing: WriteFunctions['rejectPairing'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { requestId, nowMs } = args
    const { deviceId } = requirePairing(tx, requestId, nowMs)
    tx.run(DROP_PAIRING_OF, [deviceId])
    emitResolved(tx, { requestId, deviceId, decision: 'rejected', ts: nowMs })
    return { requestId, deviceId }
  })

const rotateDeviceToken: WriteFunctions['rotateDeviceToken'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { deviceId, role, seal, nowMs } = args
    const before = requireToken(tx, deviceId, role)
    const scopes = JSON.stringify([...(args.scopes ?? before.scopes)].sort())
    const since = { createdAtMs: before.createdAtMs, rotatedAtMs: nowMs, usedAtMs: before.lastUsedAtMs ?? null }
    tx.run(INSERT_TOKEN, { deviceId, role, ...seal, ...since, scopes })
    return requireToken(tx, deviceId, role)
  })

const revokeDeviceToken: WriteFunctions['revokeDeviceToken'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { deviceId, role, nowMs } = args
    const { revokedAtMs } = requireToken(tx, deviceId, role)
    if (revokedAtMs === undefined) tx.run(REVOKE_TOKEN, [nowMs, deviceId, role])
    return requireToken(tx, deviceId, role)
  })

const noteDeviceUse: WriteFunctions['noteDeviceUse'] = (tx, { deviceId, role, remoteIp, nowMs }) => {
  const { changes } = tx.run(USE_TOKEN, [nowMs, deviceId, role])
  tx.run(MOVE_DEVICE, [remoteIp ?? null, deviceId])
  return fresh({ noted: changes === 1 })
}

export const deviceWrites = {
  ...{ pairDevice, requestPairing, approvePairing, rejectPairing },
  ...{ rotateDeviceToken, revokeDeviceToken, noteDeviceUse },
}
