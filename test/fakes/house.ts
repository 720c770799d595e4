// A gateway without transports and threads, on a store of its own and a clock that the test owns: the production rooms,
// composed by the production function. Models are scripted by the test, turn by turn.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { World } from '../../src/base/world.ts'
import type { Channel } from '../../src/channels/port.ts'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import type { GatewayEvent } from '../../src/dispatch/event-hub.ts'
import { furnish } from '../../src/house.ts'
import { isMethodName, type MethodName, type Result } from '../../src/protocol/catalogue.ts'
import type { ModelCall, ModelEvent, ModelMessage } from '../../src/providers/model.ts'
import type { InlineOptions } from '../../src/store/sqlite/inline.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import type { Runner } from '../../src/turns/runner.ts'
import { FakeClock, settled } from './clock.ts'

type Done = Extract<ModelEvent, { type: 'done' | 'failed' }>
export type Play = (ask: {
  messages: readonly ModelMessage[]
  system: string
  signal: AbortSignal
}) => Done | Promise<Done>

export const text = (words: string): Done => ({ type: 'done', text: words, calls: [] })
export const calls = (...made: Omit<ModelCall, 'id'>[]): Done => ({
  type: 'done',
  text: '',
  calls: made.map(one => ({ ...one, id: 'c' })),
})

export interface HouseOptions {
  readonly config?: object
  readonly clock?: FakeClock
  /** A folder of an earlier house; it is then not removed. */
  readonly folder?: string
  readonly runner?: Runner
  /** Holds the store's writer, or stands in for its COMMIT. */
  readonly store?: InlineOptions
  readonly channels?: readonly Channel[]
  /** Parts of the world that are not as usual. */
  readonly world?: Partial<World>
}

const operator: Caller = { principal: 'operator', label: 'test', scopes: new Set(['operator.admin']) }

/** The house stands until `close`; `leave` ends it as a crash would, without draining, and keeps the folder. */
export async function openHouse(play: Play, options: HouseOptions = {}) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'sluice-house-'))
  const clock = options.clock ?? new FakeClock()
  const places = locate({ SLUICE_STATE_DIR: folder }, '/nowhere')
  const files = { [places.configPath]: JSON.stringify(options.config ?? {}) }
  const world = worldOf(clock, files, options.world)
  const load = (config: string | undefined) =>
    loadSettings({
      files: { ...world.files, readText: path => (path === places.configPath ? config : world.files.readText(path)) },
      env: {},
      places,
      portOverride: 0,
      systemZone: 'Europe/Berlin',
      isMethod: isMethodName,
    })
  const store = await openSqliteStore({ folder, thread: false, ...options.store })
  let current = play
  const runner =
    options.runner ??
    inlineRunner(
      () => ({
        ref: 'test/model',
        async *stream(request) {
          yield await current(request)
        },
      }),
      path => world.files.readText(path),
    )
  const logged: string[] = []
  const log = (level: string, message: string) => void logged.push(`${level} ${message}`)
  const restarts: number[] = []
  const house = furnish({
    ...{ store, runner, places, world, log, load },
    settings: load(files[places.configPath]),
    env: {},
    binFolder: '/opt/sluice/bin',
    channels: options.channels ?? [],
    restart: ({ delayMs }) => {
      restarts.push(clock.now() + delayMs)
      return { atMs: restarts[0] as number }
    },
  })
  const events: GatewayEvent[] = []
  house.hub.listen(event => events.push(event))
  house.resume(await house.recover())
  await house.exchange.start()
  return {
    ...house,
    clock,
    folder,
    events,
    logged,
    /** Instants for which a restart was asked. */
    restarts,
    files,
    store,
    play: (next: Play) => {
      current = next
    },
    call: async <M extends MethodName>(method: M, params: unknown = {}) =>
      (await house.dispatcher.call(method, params, { caller: operator, early: () => undefined })) as Result<M>,
    leave: async () => {
      house.parts.scheduler.stop()
      await house.exchange.stop()
      house.loopDelay.stop()
      await settled()
      await store.close()
    },
    close: async () => {
      await end(house, store)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
export type House = Awaited<ReturnType<typeof openHouse>>

async function end(house: ReturnType<typeof furnish>, store: { close(): Promise<void> }): Promise<void> {
  house.parts.scheduler.stop()
  await house.exchange.stop()
  await house.parts.engine.drain()
  house.loopDelay.stop()
  await settled()
  await store.close()
}

let made = 0
function worldOf(clock: FakeClock, files: Record<string, string>, changed: Partial<World> = {}): World {
  return {
    clock,
    random: {
      uuid: () => {
        made += 1
        return `id-${made}`
      },
      hex: bytes => '0'.repeat(bytes * 2),
    },
    fetch: () => Promise.reject(new Error('no network in this world')),
    publicGet: () => Promise.reject(new Error('no network in this world')),
    watchFile: () => ({ stop: () => undefined }),
    readWithin: () => Promise.reject(new Error('no folders in this world')),
    processes: {
      find: async () => undefined,
      run: () => Promise.reject(new Error('no processes in this world')),
    },
    files: {
      readText: path => files[path],
      writePrivateText: (path, content) => {
        files[path] = content
      },
      ensurePrivateFolder: () => undefined,
    },
    ...changed,
  }
}
