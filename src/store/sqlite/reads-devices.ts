// The small reads of devices: by key, or a page.
import type { DeviceReads } from '../port-devices.ts'
import {
  type DeviceColumns,
  FIND_DEVICE,
  FIND_PAIRING,
  type PairingColumns,
  TOKENS_OF,
  type TokenColumns,
  toDevice,
  toPairing,
} from './devices.ts'

type Params = readonly (string | number)[]
type Select = <R>(sql: string) => { all(params: Params): R[]; get(params: Params): R | undefined }

/** As for all small reads. */
const ROWS_MAX = 500

export function deviceReads(select: Select): DeviceReads {
  const one = select<DeviceColumns>(FIND_DEVICE)
  const tokens = select<TokenColumns>(TOKENS_OF)
  const page = select<DeviceColumns>('SELECT * FROM devices ORDER BY approved_at_ms DESC, device_id LIMIT ?')
  const onePairing = select<PairingColumns>(FIND_PAIRING)
  const open = select<PairingColumns>(
    'SELECT * FROM pairings WHERE expires_at_ms > ? ORDER BY created_at_ms, request_id LIMIT ?',
  )
  const whole = (row: DeviceColumns) => toDevice(row, tokens.all([row.device_id]))
  return {
    device(deviceId) {
      const row = one.get([deviceId])
      return row && whole(row)
    },
    devices: limit => page.all([Math.min(limit, ROWS_MAX)]).map(whole),
    pairing(requestId, nowMs) {
      const row = onePairing.get([requestId, nowMs])
      return row && toPairing(row)
    },
    pairings: ({ nowMs, limit }) => open.all([nowMs, Math.min(limit, ROWS_MAX)]).map(toPairing),
  }
}
