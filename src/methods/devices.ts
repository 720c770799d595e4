// Handlers by which a person lets devices in and shuts them out. Nobody can hand on a scope that is not his own, and what
// is shut out is cut off at once.
import { covers } from '../access/connect.ts'
import { SluiceError } from '../base/errors.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { DEVICE_METHODS } from '../protocol/methods/devices.ts'
import type { DeviceRow, PairingRow } from '../store/port-devices.ts'
import type { MethodParts } from './parts.ts'

const LISTED_MAX = 500

type Parts = Pick<MethodParts, 'store' | 'clock' | 'deviceTokens' | 'cut'>

export function deviceHandlers(parts: Parts): Pick<Handlers, keyof typeof DEVICE_METHODS> {
  const { store, clock, deviceTokens } = parts
  return {
    'device.pair.list': () => ({
      pending: store.read.pairings({ nowMs: clock.now(), limit: LISTED_MAX }).map(shownRequest),
      paired: store.read.devices(LISTED_MAX).map(shownDevice),
    }),
    'device.pair.approve': async ({ params: { requestId }, caller, key, signal }) => {
      const nowMs = clock.now()
      const request = store.read.pairing(requestId, nowMs)
      // What one may not hand on oneself, one may not hand on by a yes. Unknown ones are refused by the store.
      if (request) mustHold(caller, request.scopes)
      const seal = deviceTokens.seal()
      const { value } = await store.write.approvePairing({ requestId, seal, ...keyed(key), nowMs }, { signal })
      return { requestId, device: shownDevice(value.device) }
    },
    'device.pair.reject': async ({ params: { requestId }, key, signal }) => {
      const { value } = await store.write.rejectPairing({ requestId, ...keyed(key), nowMs: clock.now() }, { signal })
      return value
    },
    'device.token.rotate': call => rotate(parts, call),
    'device.token.revoke': async ({ params: { deviceId, role }, caller, key, signal }) => {
      const nowMs = clock.now()
      const { value } = await store.write.revokeDeviceToken({ deviceId, role, ...keyed(key), nowMs }, { signal })
      cutOff(parts, { deviceId, role, reason: 'device token revoked', asker: caller, byTokenOnly: false })
      return { deviceId, role, revokedAtMs: value.revokedAtMs ?? nowMs }
    },
  }
}

async function rotate(
  parts: Parts,
  { params, caller, key, signal }: Call<'device.token.rotate'>,
): Promise<Result<'device.token.rotate'>> {
  const { store, clock, deviceTokens } = parts
  const { deviceId, role, scopes } = params
  const held = store.read.device(deviceId)?.tokens.find(token => token.role === role)
  mustHold(caller, [...(scopes ?? []), ...(held?.scopes ?? [])])
  const asked = { deviceId, role, ...(scopes && { scopes }), seal: deviceTokens.seal(), ...keyed(key) }
  const { value, repeated } = await store.write.rotateDeviceToken({ ...asked, nowMs: clock.now() }, { signal })
  if (!repeated) cutOff(parts, { deviceId, role, reason: 'device token rotated', asker: caller, byTokenOnly: true })
  const token = deviceTokens.open(value)
  if (token === undefined) throw lost()
  return { deviceId, role, token, scopes: [...value.scopes], rotatedAtMs: value.rotatedAtMs ?? value.createdAtMs }
}

function keyed<K>(key: K | undefined): { key?: K } {
  return key === undefined ? {} : { key }
}

interface CutOff {
  readonly deviceId: string
  readonly role: string
  readonly reason: string
  readonly asker: Caller
  /** Only those that the token itself let in. */
  readonly byTokenOnly: boolean
}

function cutOff({ cut }: Parts, { deviceId, role, reason, asker, byTokenOnly }: CutOff): void {
  cut(({ device }) => device?.deviceId === deviceId && device.role === role && (device.byToken || !byTokenOnly), {
    reason,
    asker,
  })
}

function mustHold({ scopes }: Caller, wanted: readonly string[]): void {
  const missing = wanted.find(scope => !covers(scopes, scope))
  if (missing === undefined) return
  throw new SluiceError('FORBIDDEN', `missing scope: ${missing}`, { outcome: 'not-started' })
}

function lost(): SluiceError {
  const message =
    'The token was made with a device key that is no longer in the state folder. Rotate it under a new idempotency key.'
  return new SluiceError('CONFLICT', message, { outcome: 'unknown' })
}

function shownRequest(row: PairingRow): Result<'device.pair.list'>['pending'][number] {
  const { createdAtMs: ts, role, scopes, ...rest } = row
  return { ...rest, role, roles: [role], scopes: [...scopes], silent: false, ts }
}

function shownDevice(row: DeviceRow): Result<'device.pair.list'>['paired'][number] {
  const { tokens, ...rest } = row
  const valid = tokens.filter(({ revokedAtMs }) => revokedAtMs === undefined)
  return {
    ...rest,
    roles: valid.map(({ role }) => role),
    scopes: [...new Set(valid.flatMap(({ scopes }) => scopes))],
    tokens: tokens.map(({ salt: _, hash: __, ...shown }) => ({ ...shown, scopes: [...shown.scopes] })),
  }
}
