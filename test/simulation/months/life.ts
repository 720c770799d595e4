// One life of the gateway in a world of months: the production rooms on a folder, until they are stopped or killed. A kill
// leaves the disk as it is at that instant, before or after a commit.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { World } from '../../../src/base/world.ts'
import { loadSettings } from '../../../src/config/load.ts'
import { locate } from '../../../src/config/locate.ts'
import type { Caller } from '../../../src/dispatch/caller.ts'
import { furnish } from '../../../src/house.ts'
import { isMethodName, type MethodName, type Result } from '../../../src/protocol/catalogue.ts'
import type { Store } from '../../../src/store/port.ts'
import { openSqliteStore } from '../../../src/store/sqlite/open.ts'
import { BootClock } from '../virtual-time.ts'
import { HOME_ZONE } from './drawn-jobs.ts'
import { DrawnRunner, type Effects } from './runs.ts'
import type { MonthsTime } from './time.ts'

const DB = 'sluice.db'
const operator: Caller = { principal: 'operator', label: 'months', scopes: new Set(['operator.admin']) }

export interface LifeParts {
  readonly number: number
  readonly folder: string
  readonly time: MonthsTime
  readonly effects: Effects
  readonly uuid: () => string
  /** Whether it is killed with this commit, and on which side of it. */
  readonly killAt: () => 'before' | 'after' | undefined
  /** Whether it is killed now that something is on disk which nothing has taken up yet. */
  readonly killBetween: () => boolean
  readonly wrapStore: (store: Store) => Store
  readonly trace: (line: string) => void
}

const CONFIG = JSON.stringify({
  cron: { maxConcurrentRuns: 50, commands: 'operator' },
  agents: { defaults: { maxConcurrent: 60 } },
  tools: { exec: { security: 'full', ask: 'off' } },
})

export class Life {
  readonly clock: BootClock
  readonly number: number
  dead = false
  /** Something was committed since this was last set to false. */
  changed = true
  /** What a kill left. */
  image: string | undefined
  readonly #parts: LifeParts
  #house!: ReturnType<typeof furnish>
  #store!: Store
  #reader!: Database.Database

  private constructor(parts: LifeParts) {
    this.#parts = parts
    this.number = parts.number
    this.clock = new BootClock(parts.time)
  }

  static async begin(parts: LifeParts): Promise<Life> {
    const life = new Life(parts)
    await life.#begin()
    return life
  }

  get folder(): string {
    return this.#parts.folder
  }
  get store(): Store {
    return this.#store
  }
  /** A connection of the world's own, to judge by what is on disk. */
  get reader(): Database.Database {
    return this.#reader
  }

  async call<M extends MethodName>(method: M, params: unknown): Promise<Result<M>> {
    return (await this.#house.dispatcher.call(method, params, {
      caller: operator,
      early: () => undefined,
    })) as Result<M>
  }

  async #begin(): Promise<void> {
    const { folder, number, effects, trace } = this.#parts
    this.#store = await openSqliteStore({ folder, thread: false, hooks: { commit: commit => this.#commit(commit) } })
    this.#reader = new Database(join(folder, DB), { readonly: true })
    const world = this.#world()
    const places = locate({ SLUICE_STATE_DIR: '/state' }, '/nowhere')
    const load = (config: string | undefined) =>
      loadSettings({
        files: { ...world.files, readText: path => (path === places.configPath ? config : undefined) },
        env: {},
        places,
        portOverride: 0,
        systemZone: HOME_ZONE,
        isMethod: isMethodName,
      })
    const runner = new DrawnRunner({ life: number, clock: this.clock, effects, isDead: () => this.dead })
    this.#house = furnish({
      ...{ runner, places, world, load },
      store: this.#parts.wrapStore(this.#store),
      log: (level, message, fields) => {
        if (!this.dead) trace(`${level} ${message} ${JSON.stringify(fields ?? {})}`)
      },
      settings: load(CONFIG),
      env: {},
      binFolder: '/opt/sluice/bin',
      restart: ({ delayMs }) => ({ atMs: this.clock.now() + delayMs }),
    })
    this.#house.loopDelay.stop()
    const unfinished = await this.#house.recover()
    if (!this.dead) this.#house.resume(unfinished)
  }

  #world(): World {
    const { uuid } = this.#parts
    return {
      clock: this.clock,
      random: { uuid, hex: bytes => '0'.repeat(bytes * 2) },
      fetch: () => Promise.reject(new Error('no network in this world')),
      publicGet: () => Promise.reject(new Error('no network in this world')),
      readWithin: () => Promise.reject(new Error('no folders in this world')),
      watchFile: () => ({ stop: () => undefined }),
      processes: this.#parts.effects.machine.processes({ clock: this.clock, isDead: () => this.dead }),
      files: { readText: () => undefined, writePrivateText: () => undefined, ensurePrivateFolder: () => undefined },
    }
  }

  #commit(commit: () => void): void {
    const kill = this.dead ? undefined : this.#parts.killAt()
    if (kill === 'before') this.kill()
    commit()
    this.changed = true
    if (kill === 'after' || (!this.dead && this.#parts.killBetween())) this.kill()
  }

  /** From now on nothing of this life counts. */
  kill(): void {
    if (this.dead) return
    this.dead = true
    this.clock.kill()
    this.image = `${this.#parts.folder}+`
    mkdirSync(this.image)
    for (const name of [DB, `${DB}-wal`]) {
      if (existsSync(join(this.folder, name))) copyFileSync(join(this.folder, name), join(this.image, name))
    }
  }

  /** As a gateway ends that is told to; a kill may still overtake it. */
  async stop(): Promise<void> {
    this.#house.parts.scheduler.stop()
    await this.#house.parts.engine.drain()
    await this.close()
  }

  async close(): Promise<void> {
    this.#house.parts.scheduler.stop()
    this.#reader.close()
    const closing = this.#store.close()
    this.dead = true
    this.clock.kill()
    await closing
  }
}
