// Who is connected and what they last said of themselves, as clients show it. It is a picture, not a right: nothing is
// allowed or refused by it. It is kept in memory, as connections are; what is old or too much goes.
import { MINUTE } from '../base/durations.ts'
import { withoutUndefined } from '../base/without-undefined.ts'
import type { Clock } from '../base/world.ts'
import type { ConnectParams } from '../protocol/connect.ts'
import type { PresenceEntry } from '../protocol/methods/presence.ts'

/** An entry goes so long after the last sign of life, unless its connection is open. */
export const PRESENCE_AGE_MS_MAX = 5 * MINUTE
export const PRESENCE_ENTRIES_MAX = 200

export interface PresenceParts {
  readonly clock: Clock
  /** The gateway's own entry, without the instant. */
  readonly self: Omit<PresenceEntry, 'ts'>
  /** Told that the picture has another revision. */
  readonly changed: () => void
}

/** What is undefined is not known. */
type Said = { readonly [K in keyof Omit<PresenceEntry, 'ts'>]?: PresenceEntry[K] | undefined }

interface Kept {
  readonly entry: PresenceEntry
  /** Open connections that it stands for. */
  readonly connections: ReadonlySet<string>
}

export class Presence {
  readonly #parts: PresenceParts
  /** In the order of their last change. */
  readonly #kept = new Map<string, Kept>()
  #revision = 0

  constructor(parts: PresenceParts) {
    this.#parts = parts
  }

  get revision(): number {
    return this.#revision
  }

  /** Connecting is not told to others; a one-shot command is no presence. Answers what to call when it leaves. */
  joined(connId: string, who: { params: ConnectParams; scopes: ReadonlySet<string>; ip: string }): () => void {
    const { client, device, role } = who.params
    if (client.mode === 'cli') return () => undefined
    const key = device?.id ?? client.instanceId ?? connId
    const { displayName, version, platform, deviceFamily, modelIdentifier, mode, instanceId } = client
    const said = { host: displayName ?? client.id, ip: who.ip, version, platform, deviceFamily, modelIdentifier, mode }
    const known = { deviceId: device?.id, roles: [role ?? 'operator'], scopes: [...who.scopes], instanceId }
    const connections = new Set(this.#kept.get(key)?.connections).add(connId)
    this.#keep(key, { ...said, ...known, reason: 'connect' }, connections)
    return () => this.#left(key, connId)
  }

  /** What a client says of itself or of the machine it is on; what it does not say stays. */
  told(key: string, said: Said): void {
    const before = this.#kept.get(key)
    this.#keep(key, { ...before?.entry, ...said }, before?.connections ?? new Set())
    this.#parts.changed()
  }

  list(): PresenceEntry[] {
    const nowMs = this.#parts.clock.now()
    this.#sweep(nowMs)
    const others = [...this.#kept.values()].map(({ entry, connections }) =>
      connections.size > 0 ? { ...entry, ts: nowMs } : entry,
    )
    return [{ ...this.#parts.self, ts: nowMs }, ...others.reverse()]
  }

  #left(key: string, connId: string): void {
    const kept = this.#kept.get(key)
    if (!kept) return
    const connections = new Set(kept.connections)
    connections.delete(connId)
    this.#keep(key, { ...kept.entry, ...(connections.size === 0 && { reason: 'disconnect' }) }, connections)
    this.#parts.changed()
  }

  #keep(key: string, said: Said, connections: ReadonlySet<string>): void {
    const ts = this.#parts.clock.now()
    const entry = withoutUndefined(said)
    this.#kept.delete(key)
    this.#kept.set(key, { entry: { ...entry, ts }, connections })
    this.#revision += 1
    this.#sweep(ts)
  }

  /** The gateway's own entry is one of the most that there are. */
  #sweep(nowMs: number): void {
    for (const [key, { entry, connections }] of this.#kept) {
      const isOld = connections.size === 0 && nowMs - entry.ts > PRESENCE_AGE_MS_MAX
      if (isOld || this.#kept.size >= PRESENCE_ENTRIES_MAX) this.#kept.delete(key)
    }
  }
}
