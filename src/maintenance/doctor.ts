// Examines the state folder, the config and the machine under a gateway, with one that runs and without. Each finding has
// a code, what it means, and what to do; what can be mended without losing anything is mended when asked for, and is looked
// at again afterwards. It changes no config, no store and no clock.
import { MINUTE } from '../base/durations.ts'
import type { Clock } from '../base/world.ts'
import { type ConfigPlace, judged, shownConfig } from '../config/editor.ts'
import type { Settings } from '../config/load.ts'
import type { Places } from '../config/locate.ts'

const NODE_MAJOR_MIN = 24
const FREE_BYTES_MIN = 500 * 2 ** 20
/** 2024-01-01: nobody runs this software before it was written. */
const CLOCK_MS_MIN = 1_704_067_200_000
/** Clocks are put right by a little all the time. */
const CLOCK_STEP_MS_MAX = MINUTE
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
const OTHERS = 0o077
/** What a process that died while it wrote may leave: `<file>.<pid>.new`. */
const LEFTOVER = /\.\d+\.new$/

export interface Finding {
  readonly code: string
  /** Problems keep a gateway from working as it should; notices do not. */
  readonly kind: 'problem' | 'notice'
  readonly message: string
  /** What to do about it. */
  readonly advice: string
  /** Whether `--fix` can do it; `done`: it has. */
  readonly fix: 'none' | 'possible' | 'done'
}

/** What an examination needs of the machine. */
interface Disk {
  modeOf(path: string): number | undefined
  setMode(path: string, mode: number): void
  list(folder: string): readonly string[]
  remove(path: string): void
  freeBytes(folder: string): number | undefined
  isPortFree(port: number, host: string): Promise<boolean>
}

export interface DoctorParts {
  readonly places: Places
  readonly config: ConfigPlace
  readonly disk: Disk
  readonly clock: Pick<Clock, 'now'>
  readonly nodeVersion: string
  readonly host: string
  /** The store in the folder; undefined: there is none. */
  readonly inspect: (
    folder: string,
  ) =>
    | { readonly file: string; readonly fault: string | undefined; readonly lastInstantMs: number | undefined }
    | undefined
}

interface Found extends Omit<Finding, 'fix'> {
  /** Mends it; may be called again. */
  readonly mend?: () => void
}

interface Wishes {
  /** A gateway answers on this machine's address. */
  readonly isRunning: boolean
  /** Where that gateway has its zone from: its environment may be another than ours. */
  readonly zoneFrom?: Settings['zoneFrom'] | undefined
  /** Mend what can be, and look again. */
  readonly fix: boolean
}

export async function examine(parts: DoctorParts, { fix, ...gateway }: Wishes): Promise<Finding[]> {
  const found = await look(parts, gateway)
  if (!fix) return found.map(one => told(one, 'possible'))
  for (const { mend } of found) mend?.()
  const left = await look(parts, gateway)
  const isLeft = (one: Found) => left.some(({ code, message }) => code === one.code && message === one.message)
  const mended = found.filter(one => one.mend && !isLeft(one))
  return [...mended.map(one => told(one, 'done')), ...left.map(one => told(one, 'possible'))]
}

function told({ mend, ...finding }: Found, fix: 'possible' | 'done'): Finding {
  return { ...finding, fix: mend ? fix : 'none' }
}

async function look(parts: DoctorParts, { isRunning, zoneFrom }: Omit<Wishes, 'fix'>): Promise<Found[]> {
  const { value: settings } = judged(() => parts.config.load(parts.config.files.readText(parts.config.path)))
  return [
    ...machineFindings(parts),
    ...configFindings(parts),
    ...(settings ? settingsFindings({ ...settings, ...(zoneFrom && { zoneFrom }) }) : []),
    ...permissionFindings(parts),
    ...leftoverFindings(parts, isRunning),
    ...storeFindings(parts),
    ...(settings && !isRunning ? await portFindings(parts, settings.port) : []),
  ]
}

function machineFindings({ nodeVersion, clock, disk, places }: DoctorParts): Found[] {
  const found: Found[] = []
  if (Number(/^v?(\d+)/.exec(nodeVersion)?.[1]) < NODE_MAJOR_MIN) {
    const advice = `Install Node ${NODE_MAJOR_MIN} or newer and put it first on PATH.`
    found.push({ code: 'NODE_OLD', kind: 'problem', message: `This is Node ${nodeVersion}.`, advice })
  }
  if (clock.now() < CLOCK_MS_MIN) {
    const message = 'The clock of this machine says that it is before 2024.'
    found.push({ code: 'CLOCK_WRONG', kind: 'problem', message, advice: 'Set it, best by NTP; jobs fire by it.' })
  }
  const free = disk.freeBytes(places.stateDir)
  if (free !== undefined && free < FREE_BYTES_MIN) {
    const message = `Only ${Math.floor(free / 2 ** 20)} MiB are free where ${places.stateDir} is.`
    const advice = 'Free space: nothing is accepted that cannot be kept.'
    found.push({ code: 'DISK_FULL', kind: 'problem', message, advice })
  }
  return found
}

function configFindings({ config }: DoctorParts): Found[] {
  const { path, issues, warnings } = shownConfig(config)
  const line = (issue: { readonly path: string; readonly message: string }) => `${issue.path} ${issue.message}`.trim()
  return [
    ...issues.map((issue): Found => {
      const advice = `Correct it in ${path}, or with: sluice config set`
      return { code: 'CONFIG_WRONG', kind: 'problem', message: line(issue), advice }
    }),
    ...warnings.map((warning): Found => {
      const advice = 'It changes nothing: correct its name if another key was meant, else leave it.'
      return { code: 'CONFIG_UNUSED', kind: 'notice', message: line(warning), advice }
    }),
  ]
}

function settingsFindings({ models, zoneFrom }: Settings): Found[] {
  const found: Found[] = []
  // With a key, one of its provider's models is found.
  if (models.primary === undefined && Object.values(models.providers).every(({ apiKey }) => apiKey === undefined)) {
    const message = 'No model is configured: the built-in offline model answers, which understands little.'
    const keys = Object.values(models.keyNames).join(', ')
    const advice = `Start the gateway with one of ${keys}, or set models.providers.<name>.baseUrl and agents.defaults.model.`
    found.push({ code: 'NO_MODEL', kind: 'notice', message, advice })
  }
  if (zoneFrom === 'default') {
    const message = 'No time zone is set, here or in the config: times without one are UTC.'
    const advice = 'sluice config set agents.defaults.userTimezone <your zone>'
    found.push({ code: 'NO_ZONE', kind: 'notice', message, advice })
  }
  return found
}

/** The folder and what is secret or a person's in it are nobody else's to read. */
function permissionFindings({ places, disk }: DoctorParts): Found[] {
  const { stateDir, configPath, tokenPath } = places
  const inFolder = ['sluice.db', 'sluice.db-wal', 'sluice.db-shm', 'lock.db', 'starts.json', 'logs/gateway.log']
  const wanted: [path: string, code: string, mode: number][] = [
    [stateDir, 'FOLDER_OPEN', FOLDER_MODE],
    [tokenPath, 'TOKEN_OPEN', FILE_MODE],
    [configPath, 'FILE_OPEN', FILE_MODE],
    ...inFolder.map((name): [string, string, number] => [`${stateDir}/${name}`, 'FILE_OPEN', FILE_MODE]),
  ]
  return wanted.flatMap(([path, code, mode]): Found[] => {
    const present = disk.modeOf(path)
    if (present === undefined || (present & OTHERS) === 0) return []
    const message = `Others on this machine may use ${path} (mode ${present.toString(8)}).`
    const advice = `chmod ${mode.toString(8)} ${path}`
    return [{ code, kind: 'problem', message, advice, mend: () => disk.setMode(path, mode) }]
  })
}

/** While a gateway runs, what looks left over may be what it is writing. */
function leftoverFindings({ places, disk }: DoctorParts, isRunning: boolean): Found[] {
  if (isRunning) return []
  return disk
    .list(places.stateDir)
    .filter(name => LEFTOVER.test(name))
    .map(name => {
      const path = `${places.stateDir}/${name}`
      const message = `${path} was left by a process that died while it wrote; what it stood for is whole.`
      return { code: 'LEFTOVER', kind: 'notice', message, advice: `rm ${path}`, mend: () => disk.remove(path) }
    })
}

function storeFindings({ places, inspect, clock }: DoctorParts): Found[] {
  const store = inspect(places.stateDir)
  if (!store) return []
  if (store.fault !== undefined) {
    const message = `The store ${store.file} cannot be used as it is: ${store.fault}`
    const advice = 'Copy the folder, stop the gateway, then: sluice backup restore <file> --force'
    return [{ code: 'STORE_DAMAGED', kind: 'problem', message, advice }]
  }
  const { lastInstantMs = 0 } = store
  if (lastInstantMs <= clock.now() + CLOCK_STEP_MS_MAX) return []
  const message = 'The clock of this machine is behind the last instant that the store knows of.'
  const advice = 'Set the clock, best by NTP; until then no job fires.'
  return [{ code: 'CLOCK_BEHIND', kind: 'problem', message, advice }]
}

async function portFindings({ disk, host }: DoctorParts, port: number): Promise<Found[]> {
  if (port === 0 || (await disk.isPortFree(port, host))) return []
  const message = `Port ${port} is taken by a program that is no gateway of ours.`
  const advice = 'End that program, or choose another port: sluice config set gateway.port <port>'
  return [{ code: 'PORT_TAKEN', kind: 'problem', message, advice }]
}
