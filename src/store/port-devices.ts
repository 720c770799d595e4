// The part of the port that keeps devices: who was let in with which scopes, their tokens (hashes alone), and who waits
// to be let in. It judges no signature and makes no secret.
import type { EffectKey } from './effect-key.ts'

/** What a device says of itself when it connects; its id and key were verified. */
export interface DeviceFacts {
  readonly deviceId: string
  /** The raw Ed25519 key as base64url. */
  readonly publicKey: string
  readonly displayName?: string | undefined
  readonly platform: string
  readonly clientId: string
  readonly clientMode: string
  readonly role: string
  readonly remoteIp?: string | undefined
}

/** A token as it is kept: what it is derived from, and its SHA-256 as hex. */
export interface TokenSeal {
  readonly salt: string
  readonly hash: string
}

export interface DeviceTokenRow extends TokenSeal {
  readonly role: string
  readonly scopes: readonly string[]
  readonly createdAtMs: number
  readonly rotatedAtMs: number | undefined
  readonly revokedAtMs: number | undefined
  readonly lastUsedAtMs: number | undefined
}

export interface DeviceRow extends DeviceFacts {
  readonly createdAtMs: number
  readonly approvedAtMs: number
  /** One for each role, ordered by it. */
  readonly tokens: readonly DeviceTokenRow[]
}

export interface NewPairing extends DeviceFacts {
  readonly requestId: string
  /** What it wants to be granted. */
  readonly scopes: readonly string[]
  readonly expiresAtMs: number
}

export interface PairingRow extends NewPairing {
  /** The device was paired before, and wants more or was revoked. */
  readonly isRepair: boolean
  readonly createdAtMs: number
}

/** Writes of devices; see StoreWrites for what holds for all. */
export interface DeviceWrites {
  /**
   * Lets a device in at once, with the scopes it wants beside those it has: event `device.pair.resolved`. `seal` becomes
   * its token's, unless it has one that holds just these scopes already. LIMIT when too many devices are paired.
   */
  pairDevice(args: { pairing: NewPairing; seal: TokenSeal; nowMs: number }): DeviceRow

  /**
   * Asks for a device to be let in: event `device.pair.requested`. Each device has one request; an open one for the same
   * is answered instead of a second. BUSY (`not-started`) when too many wait.
   */
  requestPairing(args: { pairing: NewPairing; nowMs: number }): PairingRow

  /** Lets the device of an open request in, as pairDevice. INVALID_REQUEST: `unknown requestId`, of an expired one too. */
  approvePairing(args: { requestId: string; seal: TokenSeal; key?: EffectKey; nowMs: number }): {
    requestId: string
    device: DeviceRow
  }

  /** Ends an open request: event `device.pair.resolved`. INVALID_REQUEST as above. */
  rejectPairing(args: { requestId: string; key?: EffectKey; nowMs: number }): { requestId: string; deviceId: string }

  /** Replaces a device's token of a role; from then on the old one is none. INVALID_REQUEST for no such device or role. */
  rotateDeviceToken(args: {
    deviceId: string
    role: string
    /** Absent: as before. */
    scopes?: readonly string[]
    seal: TokenSeal
    key?: EffectKey
    nowMs: number
  }): DeviceTokenRow

  /** Ends a device's token of a role; the device must be let in anew. INVALID_REQUEST as above. */
  revokeDeviceToken(args: { deviceId: string; role: string; key?: EffectKey; nowMs: number }): DeviceTokenRow

  /** Notes that a device connected. Unknown ones are ignored. */
  noteDeviceUse(args: { deviceId: string; role: string; remoteIp?: string | undefined; nowMs: number }): {
    noted: boolean
  }
}

export interface DeviceReads {
  device(deviceId: string): DeviceRow | undefined
  /** Newest approval first. */
  devices(limit: number): DeviceRow[]
  /** Undefined, too, for one that has expired. */
  pairing(requestId: string, nowMs: number): PairingRow | undefined
  /** Open ones, oldest first. */
  pairings(page: { nowMs: number; limit: number }): PairingRow[]
}
