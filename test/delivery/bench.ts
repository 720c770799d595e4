// A store, a clock and a loopback service that outlive the gateway's lives on them; each life has a deliverer of its own.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Loopback, type LoopbackOptions, loopback, type Sighting } from '../../src/channels/loopback/loopback.ts'
import { Deliverer } from '../../src/delivery/deliverer.ts'
import type { Store } from '../../src/store/port.ts'
import type { InlineOptions } from '../../src/store/sqlite/inline.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

export const SESSION = 'agent:main:main'
export const CHANNEL = 'loopback'

export interface Life {
  readonly store: Store
  readonly channel: Loopback
  readonly deliverer: Deliverer
  readonly logged: string[]
}

export async function deliveryBench() {
  const clock = new FakeClock()
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'delivery-test-'))
  const seen: Sighting[] = []
  const open: Store[] = []
  return {
    clock,
    seen,
    texts: (chatId = 'c1') => seen.filter(shown => shown.chatId === chatId).map(({ text }) => text),
    /** Begins a life; one that dies at its start leaves nothing open. */
    begin: async (options: LoopbackOptions, inline: InlineOptions = {}): Promise<Life> => {
      const store = await openSqliteStore({ folder, thread: false, ...inline })
      open.push(store)
      const channel = loopback({ seen, ...options })
      const logged: string[] = []
      const log = (level: string, message: string) => void logged.push(`${level} ${message}`)
      const deliverer = new Deliverer({ store, clock, outlet: channel, log })
      try {
        await deliverer.start()
      } catch (error) {
        await store.close()
        throw error
      }
      await settled()
      return { store, channel, deliverer, logged }
    },
    /** Ends a life as a crash would: whatever is under way stays so. */
    end: async ({ deliverer, store }: Life) => {
      deliverer.stop()
      await settled()
      await store.close()
    },
    owe: async ({ store, deliverer }: Life, id: string, chatId = 'c1') => {
      const route = { channelId: CHANNEL, chatId, textLengthMax: 4_000 }
      const text = `say ${id}`
      await store.write.queueControl({ id, sessionKey: SESSION, route, text, nowMs: clock.now() })
      deliverer.poke()
      await settled()
    },
    close: async () => {
      for (const store of open) await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
export type DeliveryBench = Awaited<ReturnType<typeof deliveryBench>>
