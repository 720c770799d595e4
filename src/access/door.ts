// The door of the gateway: asks the one function who may come in, lets a device of this machine in without a question,
// has others wait for a person's yes, and makes those wait who keep presenting what is wrong. It decides nothing itself:
// after each change it asks again.
import { createHash } from 'node:crypto'
import { MINUTE, SECOND } from '../base/durations.ts'
import { asSluiceError } from '../base/errors.ts'
import { isSameSecret } from '../base/same-secret.ts'
import type { Clock, Random } from '../base/world.ts'
import type { ConnectParams, HelloOk } from '../protocol/connect.ts'
import { toWireError } from '../protocol/error-codes.ts'
import type { WireError } from '../protocol/frames.ts'
import { PROTOCOL_VERSION } from '../protocol/limits.ts'
import type { Store } from '../store/port.ts'
import type { NewPairing } from '../store/port-devices.ts'
import { type Decision, decide, type Grant, type Known, OPERATOR_ROLE, type Refusal, type Unpaired } from './connect.ts'
import type { Peer } from './device.ts'
import type { DeviceTokens } from './device-token.ts'
import { Failures } from './failures.ts'
import { isSecret, type Secrets } from './secrets.ts'

/** How long a device's wish to be let in stands. */
export const PAIRING_MS = 5 * MINUTE
/** That a device connected is noted at most so often. */
const NOTE_INTERVAL_MS = MINUTE
/** Signatures without a nonce are remembered while they would be taken, so many at most. */
const SIGNATURES_MAX = 1_000
/** Within a minute an address without the secret may ask so often whether the gateway lives. */
export const PROBES_MAX = 120

/** What a request by HTTP would say in a handshake, beside its secret. */
const HTTP_PARAMS: ConnectParams = {
  minProtocol: PROTOCOL_VERSION,
  maxProtocol: PROTOCOL_VERSION,
  client: { id: 'gateway-client', version: 'http', platform: 'http', mode: 'backend' },
}

type Address = Omit<Peer, 'nonce'>

export interface DoorParts<Turn> {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly secrets: Secrets
  readonly tokens: DeviceTokens
  readonly turnOf: Known<Turn>['turnOf']
  readonly log: (level: 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export type Entry<Turn> =
  | { readonly turn: Turn }
  | { readonly grant: Grant; readonly auth?: NonNullable<HelloOk['auth']> }
  | { readonly refused: WireError }

export class Door<Turn extends object> {
  readonly #parts: DoorParts<Turn>
  readonly #failures: Failures
  readonly #probes: Failures
  /** Of signatures that could be shown again, oldest first. */
  readonly #shown = new Set<string>()

  constructor(parts: DoorParts<Turn>) {
    this.#parts = parts
    this.#failures = new Failures(parts.clock)
    this.#probes = new Failures(parts.clock, PROBES_MAX)
  }

  /** Answers at once, unless a device is to be let in or waits to be: that is on disk before. Never rejects. */
  enter(params: ConnectParams, peer: Peer): Entry<Turn> | Promise<Entry<Turn>> {
    const waitMs = peer.isLocal ? undefined : this.#failures.waitMs(peer.address)
    if (waitMs !== undefined) return { refused: tooMany(waitMs) }
    const decision = this.#decide(params, peer)
    if ((decision.granted || 'wants' in decision) && this.#isShownAgain(params)) return this.#refuse(peer, REPLAYED)
    if (decision.granted || !('wants' in decision)) return this.#answer(decision, { params, peer })
    return this.#pair(decision, params, peer).catch(error => ({ refused: toWireError(asSluiceError(error)) }))
  }

  /** Whether an `Authorization` header of HTTP carries the token or the password. */
  admits(authorization: string | undefined, from: Address): boolean {
    const [, presented] = /^Bearer +(\S.*)$/i.exec(authorization ?? '') ?? []
    return this.#shows(presented, from, text => isSecret(text, this.#parts.secrets))
  }

  /** Counts a question of somebody who shows nothing; how long they must wait where those were too many. */
  probed({ isLocal, address }: Address): number | undefined {
    const waitMs = isLocal ? undefined : this.#probes.waitMs(address)
    if (waitMs === undefined) this.#probes.note(address)
    return waitMs
  }

  /** Whether somebody shows a secret beside the gateway's own; guesses at it count like others. */
  knows(secret: string, presented: string | undefined, from: Address): boolean {
    return this.#shows(presented, from, text => isSameSecret(text, secret))
  }

  /** Who an HTTP request is: what a handshake with the same would be. `waitMs`: after too many failures. */
  present(
    { bearer, cause }: { readonly bearer: string | undefined; readonly cause: string | undefined },
    from: Address,
  ): { readonly turn: Turn } | { readonly grant: Grant } | { readonly waitMs: number | undefined } {
    const waitMs = from.isLocal ? undefined : this.#failures.waitMs(from.address)
    if (waitMs !== undefined) return { waitMs }
    const auth = { ...(bearer !== undefined && { token: bearer }), ...(cause !== undefined && { cause }) }
    const peer = { ...from, nonce: '' }
    const decision = this.#decide({ ...HTTP_PARAMS, auth }, peer)
    if (decision.granted) return 'turn' in decision ? { turn: decision.turn } : { grant: decision }
    if (!('wants' in decision)) this.#refuse(peer, decision)
    return { waitMs: undefined }
  }

  #shows(presented: string | undefined, from: Address, isRight: (presented: string) => boolean): boolean {
    if (presented === undefined) return false
    if (!from.isLocal && this.#failures.waitMs(from.address) !== undefined) return false
    const right = isRight(presented)
    if (!right && !from.isLocal) this.#failures.note(from.address)
    return right
  }

  #decide(params: ConnectParams, peer: Peer): Decision<Turn> {
    const { secrets, turnOf, store, clock } = this.#parts
    return decide(params, peer, { secrets, turnOf, device: id => store.read.device(id), nowMs: clock.now() })
  }

  async #pair({ wants, silently }: Unpaired, params: ConnectParams, peer: Peer): Promise<Entry<Turn>> {
    const { store, clock, random, tokens, log } = this.#parts
    const { client, device } = params
    const nowMs = clock.now()
    const pairing: NewPairing = {
      requestId: random.uuid(),
      deviceId: device?.id ?? '',
      ...wants,
      displayName: client.displayName,
      platform: client.platform,
      clientId: client.id,
      clientMode: client.mode,
      role: OPERATOR_ROLE,
      remoteIp: peer.address,
      expiresAtMs: nowMs + PAIRING_MS,
    }
    if (!silently) {
      const { value, repeated } = await store.write.requestPairing({ pairing, nowMs })
      const { requestId, deviceId } = value
      if (!repeated) log('info', 'a device waits to be let in', { requestId, deviceId, address: peer.address })
      return { refused: { code: 'NOT_PAIRED', message: 'pairing required', details: { requestId } } }
    }
    await store.write.pairDevice({ pairing, seal: tokens.seal(), nowMs })
    log('info', 'a device of this machine was let in', { deviceId: pairing.deviceId })
    // Asked anew, as the device may have been shut out meanwhile.
    const decision = this.#decide(params, peer)
    if (decision.granted || !('wants' in decision)) return this.#answer(decision, { params, peer })
    return { refused: { code: 'NOT_PAIRED', message: 'pairing required' } }
  }

  #answer(
    decision: Exclude<Decision<Turn>, Unpaired>,
    { params, peer }: { params: ConnectParams; peer: Peer },
  ): Entry<Turn> | Promise<Entry<Turn>> {
    if (!decision.granted) return this.#refuse(peer, decision)
    if ('turn' in decision) return { turn: decision.turn }
    const { device } = decision
    if (!device) return { grant: decision }
    const { deviceId, token, presented } = device
    const issued = presented ? params.auth?.token : this.#parts.tokens.open(token)
    this.#note(deviceId, token.lastUsedAtMs, peer)
    const { role, scopes, rotatedAtMs, createdAtMs } = token
    const issuedAtMs = rotatedAtMs ?? createdAtMs
    return { grant: decision, ...(issued && { auth: { deviceToken: issued, role, scopes, issuedAtMs } }) }
  }

  #refuse(peer: Peer, { isFailure, code, message }: Refusal): Entry<Turn> {
    if (isFailure && !peer.isLocal) {
      this.#failures.note(peer.address)
      this.#parts.log('warn', 'a client was refused', { address: peer.address, reason: message })
    }
    return { refused: { code, message } }
  }

  /** Nobody waits for it, and where it is lost nothing is. */
  #note(deviceId: string, lastUsedAtMs: number | undefined, peer: Peer): void {
    const { store, clock } = this.#parts
    const nowMs = clock.now()
    if (lastUsedAtMs !== undefined && Math.abs(nowMs - lastUsedAtMs) < NOTE_INTERVAL_MS) return
    const noted = { deviceId, role: OPERATOR_ROLE, remoteIp: peer.address, nowMs }
    store.write.noteDeviceUse(noted).catch(() => undefined)
  }

  /** A signature without a nonce is bound to no connection, so each is taken once. */
  #isShownAgain({ device }: ConnectParams): boolean {
    if (!device || device.nonce !== undefined) return false
    const signature = Buffer.from(device.signature, 'base64url')
    const name = createHash('sha256').update(device.id).update(signature).digest('base64url')
    if (this.#shown.has(name)) return true
    this.#shown.add(name)
    const [oldest] = this.#shown
    if (this.#shown.size > SIGNATURES_MAX && oldest !== undefined) this.#shown.delete(oldest)
    return false
  }
}

const REPLAYED: Refusal = {
  granted: false,
  code: 'INVALID_REQUEST',
  message: 'device signature was used before: sign anew',
  isFailure: true,
}

function tooMany(waitMs: number): WireError {
  const message = `too many failed attempts from this address; try again in ${Math.ceil(waitMs / SECOND)} s`
  return { code: 'UNAVAILABLE', message, retryable: true, retryAfterMs: waitMs }
}
