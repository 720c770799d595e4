// Rows of devices, their tokens and their requests, and the values that cross the port.
import type { DeviceRow, DeviceTokenRow, PairingRow } from '../port-devices.ts'

export const FIND_DEVICE = 'SELECT * FROM devices WHERE device_id = ?'
export const TOKENS_OF = 'SELECT * FROM device_tokens WHERE device_id = ? ORDER BY role'
/** A request that has not expired by the instant given. */
export const FIND_PAIRING = 'SELECT * FROM pairings WHERE request_id = ? AND expires_at_ms > ?'

export interface DeviceColumns {
  device_id: string
  public_key: string
  display_name: string | null
  platform: string
  client_id: string
  client_mode: string
  role: string
  remote_ip: string | null
  created_at_ms: number
  approved_at_ms: number
}

export interface TokenColumns {
  role: string
  scopes: string
  salt: string
  hash: string
  created_at_ms: number
  rotated_at_ms: number | null
  revoked_at_ms: number | null
  last_used_at_ms: number | null
}

export interface PairingColumns extends Omit<DeviceColumns, 'approved_at_ms'> {
  request_id: string
  scopes: string
  is_repair: number
  expires_at_ms: number
}

function factsOf(row: Omit<DeviceColumns, 'approved_at_ms'>) {
  return {
    deviceId: row.device_id,
    publicKey: row.public_key,
    displayName: row.display_name ?? undefined,
    platform: row.platform,
    clientId: row.client_id,
    clientMode: row.client_mode,
    role: row.role,
    remoteIp: row.remote_ip ?? undefined,
    createdAtMs: row.created_at_ms,
  }
}

export function toDevice(row: DeviceColumns, tokens: readonly TokenColumns[]): DeviceRow {
  return { ...factsOf(row), approvedAtMs: row.approved_at_ms, tokens: tokens.map(toToken) }
}

export function toToken(row: TokenColumns): DeviceTokenRow {
  return {
    role: row.role,
    scopes: JSON.parse(row.scopes),
    salt: row.salt,
    hash: row.hash,
    createdAtMs: row.created_at_ms,
    rotatedAtMs: row.rotated_at_ms ?? undefined,
    revokedAtMs: row.revoked_at_ms ?? undefined,
    lastUsedAtMs: row.last_used_at_ms ?? undefined,
  }
}

export function toPairing(row: PairingColumns): PairingRow {
  return {
    ...factsOf(row),
    requestId: row.request_id,
    scopes: JSON.parse(row.scopes),
    isRepair: row.is_repair === 1,
    expiresAtMs: row.expires_at_ms,
  }
}
