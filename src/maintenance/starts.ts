// How the last gateway on a state folder ended, and how often one died lately. The source of truth is `starts.json` in
// the folder: a start writes its mark there once it holds the folder's lock, and a clean stop takes the mark away. After
// three deaths in five minutes a start holds turns and jobs back, so that what kills the gateway does not do it for ever.
// A check of the store that a death made due stays due, over clean stops too, until one has found it whole.
import { MINUTE } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { World } from '../base/world.ts'

const DEATHS_MAX = 3
const DEATHS_WINDOW_MS = 5 * MINUTE

interface Kept {
  /** The id of the start that has not ended cleanly; null: it has. */
  readonly running: string | null
  /** Instants of starts that followed a death, by the wall clock; oldest first. */
  readonly deathsMs: readonly number[]
  /** The store is to be checked: a gateway died on it, and no check has found it whole since. */
  readonly checkDue?: true
}

export interface Start {
  /** Whether the gateway before this one died or was killed. */
  readonly afterDeath: boolean
  /** Whether a gateway died on this store, and no check has found it whole since. */
  readonly checkDue: boolean
  /** To be called when a check has found the store whole. */
  foundWhole(): void
  /** Why turns and jobs are to be held back, in words for the log, the start and `status`; undefined: they are not. */
  readonly heldBack: string | undefined
  /** To be called once the store is closed, and not after a failure. */
  stoppedCleanly(): void
}

/** Refuses an empty file of a store on which gateways ran: a new store in its place would hide that all is lost. */
export function refuseEmptied(stateDir: string, { files }: Pick<World, 'files'>): void {
  if (files.readText(`${stateDir}/starts.json`) === undefined) return
  const text =
    `${stateDir}/sluice.db is empty, though a gateway ran on it: what it held is gone. Put a backup in its place ` +
    '(sluice backup restore <file>), or remove the empty file to begin anew.'
  throw new SluiceError('STORE_FAILED', text, { outcome: 'not-started' })
}

/** Marks a start in a state folder that this process holds. Throws STORE_FAILED when the mark cannot be read or kept. */
export function markStart(
  stateDir: string,
  { files, clock, random }: Pick<World, 'files' | 'clock' | 'random'>,
): Start {
  const path = `${stateDir}/starts.json`
  const before = onDisk(path, () => keptIn(files.readText(path)))
  const nowMs = clock.now()
  const afterDeath = before.running !== null
  // The distance, either way: a clock that was put back or leapt ahead neither adds deaths nor keeps them for long.
  const recent = before.deathsMs.filter(atMs => Math.abs(nowMs - atMs) <= DEATHS_WINDOW_MS)
  const deathsMs = (afterDeath ? [...recent, nowMs] : recent).slice(-DEATHS_MAX)
  const id = random.uuid()
  let checkDue = afterDeath || before.checkDue === true
  const keep = (running: string | null) => {
    const kept: Kept = { running, deathsMs, ...(checkDue && { checkDue }) }
    files.writePrivateText(path, `${JSON.stringify(kept)}\n`)
  }
  // Another gateway may have taken the folder since; its mark is its own.
  const isOurs = () => keptIn(files.readText(path)).running === id
  onDisk(path, () => keep(id))
  return {
    afterDeath,
    checkDue,
    heldBack: afterDeath && deathsMs.length >= DEATHS_MAX ? reason(deathsMs.length) : undefined,
    foundWhole: () => {
      checkDue = false
      if (isOurs()) keep(id)
    },
    stoppedCleanly: () => {
      if (isOurs()) keep(null)
    },
  }
}

function onDisk<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const text = `${path} cannot be kept (${(error as Error).message}). Free space or make it writable, then start again.`
    throw new SluiceError('STORE_FAILED', text, { outcome: 'not-started', cause: error })
  }
}

function reason(deaths: number): string {
  return (
    `The gateway died ${deaths} times within 5 minutes, so unfinished turns wait in their queue and no job fires. ` +
    'Nothing is lost. Look into the log, stop or change what brings it down, then go on with: sluice gateway restart'
  )
}

/** A file that cannot be understood says nothing of deaths, and nothing of a clean stop. */
function keptIn(text: string | undefined): Kept {
  if (text === undefined) return { running: null, deathsMs: [] }
  try {
    const { running, deathsMs, checkDue } = JSON.parse(text)
    if ((running === null || typeof running === 'string') && Array.isArray(deathsMs)) {
      const deaths = deathsMs.filter(atMs => typeof atMs === 'number')
      return { running, deathsMs: deaths, ...(checkDue === true && { checkDue }) }
    }
  } catch {
    // Said below.
  }
  return { running: 'unreadable', deathsMs: [] }
}
