// Handlers that show who is connected and how heartbeats go, and that take what machines say of themselves.
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { PRESENCE_METHODS } from '../protocol/methods/presence.ts'
import { effectOnce } from './effect.ts'
import type { MethodParts } from './parts.ts'
import { tellMain } from './session-admin.ts'

/** Beacons of the family's apps: every few minutes, and nothing that a session should have a turn for. */
const BEACON = /^Node:/i

export function presenceHandlers(parts: MethodParts): Pick<Handlers, keyof typeof PRESENCE_METHODS> {
  const { presence, heartbeats, scheduler } = parts
  return {
    'system-presence': () => presence.list(),
    'system-event': call => takeEvent(parts, call),
    'last-heartbeat': () => heartbeats.last ?? null,
    'set-heartbeats': call =>
      effectOnce(parts, call, () => {
        const { enabled } = call.params
        heartbeats.enabled = enabled
        scheduler.poke()
        return { ok: true as const, enabled }
      }),
  }
}

async function takeEvent(parts: MethodParts, call: Call<'system-event'>): Promise<Result<'system-event'>> {
  const { idempotencyKey: _, ...said } = call.params
  // First what may be refused: what is not taken has said nothing.
  if (!BEACON.test(said.text)) await tellMain(parts, call, said.text)
  parts.presence.told(said.deviceId ?? said.instanceId ?? said.host ?? said.text.slice(0, 100), said)
  return { ok: true }
}
