// One life of a simulated gateway: the production rooms, composed by the production function, on a folder. It ends by a
// clean stop, or by a crash: then the disk is copied as it is at that instant, and nothing of the old life counts.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Processes, World } from '../../src/base/world.ts'
import type { Channel } from '../../src/channels/port.ts'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { furnish } from '../../src/house.ts'
import { isMethodName } from '../../src/protocol/catalogue.ts'
import { runOfStream } from '../../src/protocol/events.ts'
import type { Store } from '../../src/store/port.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { commandsOf } from './commands.ts'
import { ask } from './disk.ts'
import { Prng } from './prng.ts'
import { refusing } from './refusing.ts'
import { SimulatedRunner } from './runner.ts'
import type { Scenario } from './scenario.ts'
import type { Sightings } from './sightings.ts'
import { BootClock, type VirtualTime } from './virtual-time.ts'

export interface BootParts {
  readonly number: number
  readonly folder: string
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly seen: Sightings
  readonly uuid: () => string
  readonly stormy: () => boolean
  /** Stands between the rooms and their store: for planted faults. */
  readonly wrapStore: (store: Store) => Store
  /** The channels of this gateway. */
  readonly channels: (boot: Boot) => readonly Channel[]
  readonly onFurnished: (house: ReturnType<typeof furnish>) => void
  /** Told each durable event. */
  readonly onEvent: (name: string, payload: Readonly<Record<string, unknown>>) => void
}

const DB = 'sluice.db'
/** What people wrote meanwhile is no step of the turn. */
const LAST_ENTRY = `SELECT kind FROM entries WHERE run_id = ? AND (kind <> 'input' OR body ->> 'of' IS NULL)
  ORDER BY id DESC LIMIT 1`

export function scratchFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sluice-simulation-'))
}

export class Boot {
  readonly number: number
  readonly folder: string
  readonly clock: BootClock
  readonly startedMs: number
  dead = false
  /** Up, and not told to stop: the disk may be slow. */
  #up = false
  /** A commit waits for the disk, or may be about to. */
  diskBusy = false
  /** The copy of the disk that a crash left. */
  image: string | undefined
  readonly #parts: BootParts
  readonly #random: Prng
  readonly #refusals: Prng
  #house!: ReturnType<typeof furnish>
  #store!: Store
  #reader!: Database.Database
  #openGate: () => void = () => undefined

  private constructor(parts: BootParts) {
    this.#parts = parts
    this.number = parts.number
    this.startedMs = parts.time.nowMs
    this.folder = parts.folder
    this.clock = new BootClock(parts.time)
    this.#random = new Prng(`disk ${parts.scenario.seed} ${parts.number}`)
    this.#refusals = new Prng(`refusals ${parts.scenario.seed} ${parts.number}`)
  }

  static async open(parts: BootParts): Promise<Boot> {
    const boot = new Boot(parts)
    await boot.#open()
    return boot
  }

  get house() {
    return this.#house
  }
  get store(): Store {
    return this.#store
  }
  /** A connection of the simulator's own, to judge by what is on disk. */
  get reader(): Database.Database {
    return this.#reader
  }

  async #open(): Promise<void> {
    const { folder, scenario, seen, number } = this.#parts
    const store = await openSqliteStore({
      folder,
      thread: false,
      gate: () => this.#gate(),
      hooks: { commit: commit => this.#commit(commit) },
    })
    this.#store = store
    this.#reader = new Database(join(folder, DB), { readonly: true })
    const processes = commandsOf({ scenario, seen, boot: () => this })
    const world = worldOf(this.clock, { uuid: this.#parts.uuid, processes })
    // Not the real folder: what is told of it must not differ from run to run.
    const places = locate({ SLUICE_STATE_DIR: '/state' }, '/nowhere')
    const load = (config: string | undefined) =>
      loadSettings({
        files: { ...world.files, readText: path => (path === places.configPath ? config : undefined) },
        env: {},
        places,
        portOverride: 0,
        systemZone: 'Europe/Berlin',
        isMethod: isMethodName,
      })
    const wrapped = this.#parts.wrapStore(refusing(store, () => this.#refuses()))
    const { stormy } = this.#parts
    const runner = new SimulatedRunner({
      boot: number,
      scenario,
      clock: this.clock,
      store,
      seen,
      stormy,
      isDead: () => this.dead,
      lastEntry: runId => this.#lastEntry(runId),
      wasLetGo: runId => this.#wasLetGo(runId),
    })
    const log = (level: string, message: string) => {
      if (!this.dead) seen.trace(`log ${level} ${message}`)
    }
    this.#house = furnish({
      ...{ store: wrapped, runner, places, world, log, load },
      channels: this.#parts.channels(this),
      settings: load(JSON.stringify(scenario.config)),
      env: {},
      binFolder: '/opt/sluice/bin',
      restart: ({ delayMs }) => ({ atMs: this.clock.now() + delayMs }),
    })
    this.#house.loopDelay.stop()
    this.#parts.onFurnished(this.#house)
    this.#house.hub.listen(event => {
      if (!this.dead && event.seq !== undefined) this.#hear(event.event, event.payload)
    })
    this.#noteJobs()
    this.#house.resume(await this.#house.recover())
    await this.#house.exchange.start()
    this.#up = true
  }

  /** Takes down what jobs there are: one that is gone at the end was made all the same. */
  #noteJobs(): void {
    const rows = this.#reader.prepare("SELECT id, body ->> 'name' AS name FROM jobs ORDER BY rowid").all()
    for (const { id, name } of rows as { id: string; name: string }[]) this.#parts.seen.jobs.set(id, name)
  }

  #lastEntry(runId: string): string | undefined {
    const last = ask(this.#reader, LAST_ENTRY).get(runId)
    return (last as { kind: string } | undefined)?.kind
  }

  /** The run ended without its runner, which had not ended when it was told to. */
  #wasLetGo(runId: string): boolean {
    const error = this.#reader.prepare('SELECT error FROM runs WHERE run_id = ?').pluck().get(runId)
    return typeof error === 'string' && error.endsWith('and was let go')
  }

  #hear(name: string, payload: unknown): void {
    const { seen } = this.#parts
    seen.trace(`event ${name} ${JSON.stringify(payload)}`)
    const { runId, jobId, action } = payload as { runId?: string; jobId?: string; action?: string }
    if (name === 'agent' && runId) seen.runIds.add(runOfStream(runId))
    if (name === 'cron' && jobId && action === 'added') this.#noteJobs()
    this.#parts.onEvent(name, payload as Readonly<Record<string, unknown>>)
  }

  /** Whether the disk does not take what is written now, and if so, whether it did all the same. */
  #refuses(): 'no' | 'refused' | 'in doubt' {
    const { scenario, stormy } = this.#parts
    const { refusingDisk } = scenario.talk.faults
    if (refusingDisk === 0 || this.dead || !stormy() || !this.#refusals.chance(refusingDisk)) return 'no'
    return this.#refusals.pick(['refused', 'in doubt'])
  }

  #gate(): Promise<void> | undefined {
    const { scenario, stormy } = this.#parts
    const { slowDisk, diskDelayMsMax } = scenario.faults
    if (this.dead || !this.#up || !stormy() || !this.#random.chance(slowDisk)) return undefined
    this.diskBusy = true
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#openGate = () => {
      this.diskBusy = false
      resolve()
    }
    this.clock.after(this.#random.span(1, diskDelayMsMax), this.#openGate)
    return promise
  }

  #commit(commit: () => void): void {
    const { scenario, stormy, time } = this.#parts
    if (this.dead || !stormy()) {
      commit()
      return
    }
    const { crashInCommit, leapInCommit, leapMsMax } = scenario.faults
    const crash = this.#random.chance(crashInCommit) ? this.#random.pick(['before', 'after']) : ''
    if (crash === 'before') this.crash()
    commit()
    if (crash === 'after') this.crash()
    if (!this.dead && this.#up && this.#random.chance(leapInCommit)) time.leap(this.#random.span(10, leapMsMax))
  }

  /** From now on nothing that this boot does is seen by anybody. */
  crash(): void {
    if (this.dead) return
    this.dead = true
    this.#parts.seen.counts.crashes += 1
    this.#parts.seen.trace('crash')
    this.clock.kill()
    this.image = `${this.folder}+`
    mkdirSync(this.image)
    for (const name of [DB, `${DB}-wal`]) {
      if (existsSync(join(this.folder, name))) copyFileSync(join(this.folder, name), join(this.image, name))
    }
  }

  /** As the gateway stops when it is told to; everything that was posted is written first. */
  async stop(): Promise<void> {
    this.#parts.seen.counts.restarts += 1
    this.#parts.seen.trace('stop')
    this.#up = false
    this.#openGate()
    this.#house.parts.scheduler.stop()
    await this.#house.exchange.stop()
    await this.#house.parts.engine.drain()
    await this.close()
  }

  /** Gives the folder free. */
  async close(): Promise<void> {
    this.#up = false
    this.#openGate()
    this.#reader.close()
    this.#house.parts.scheduler.stop()
    void this.#house.exchange.stop()
    const closing = this.#store.close()
    this.dead = true
    this.clock.kill()
    await closing
  }
}

function worldOf(clock: BootClock, { uuid, processes }: { uuid: () => string; processes: Processes }): World {
  return {
    clock,
    random: { uuid, hex: bytes => '0'.repeat(bytes * 2) },
    fetch: () => Promise.reject(new Error('no network in this world')),
    publicGet: () => Promise.reject(new Error('no network in this world')),
    watchFile: () => ({ stop: () => undefined }),
    readWithin: () => Promise.reject(new Error('no folders in this world')),
    processes,
    files: { readText: () => undefined, writePrivateText: () => undefined, ensurePrivateFolder: () => undefined },
  }
}
