// What `sluice import clawdbot` would take over, read from another gateway's files and changed by nobody here: the plan is
// carried out through the running gateway. What was taken over before is remembered by their ids, so that a second run
// finds nothing to do, even where a job was changed or removed since.
import { SluiceError } from '../base/errors.ts'
import type { Clock, Files } from '../base/world.ts'
import { type ConfigPlace, judged, judgedPatch, shownConfig } from '../config/editor.ts'
import { type Places, parseConfig } from '../config/locate.ts'
import { type PlannedConfig, plannedConfig } from './import-config.ts'
import { type CheckSchedule, plannedJobs } from './import-jobs.ts'

const CONFIG_NAME = 'clawdbot.json'
const JOBS_NAME = 'cron/jobs.json'
const ALREADY = 'was taken over before'

export interface ImportParts {
  readonly files: Pick<Files, 'readText' | 'writePrivateText'>
  readonly clock: Pick<Clock, 'now'>
  readonly places: Pick<Places, 'stateDir'>
  readonly config: ConfigPlace
  readonly home: string
  /** Throws for a schedule that this gateway refuses. */
  readonly checkSchedule: CheckSchedule
}

/** `from`: their state folder, their config or their jobs file; undefined: where they are by default. */
export function planImport(parts: ImportParts, from: string | undefined) {
  const { files, clock, places, config, home, checkSchedule } = parts
  const read = readTheirs(files, from ?? `${home}/.clawdbot`, home)
  const recordPath = `${places.stateDir}/imported.json`
  const taken = new Set<string>(recorded(files.readText(recordPath)))
  const jobs = plannedJobs(read.jobs, clock.now(), checkSchedule).map(job =>
    taken.has(job.id) ? { id: job.id, name: job.name, why: ALREADY } : job,
  )
  const own = parseConfig(files.readText(config.path), config.path) ?? {}
  const planned = plannedConfig(read.config, own, patch => wrongPaths(config, patch))
  return {
    sources: read.sources,
    jobs,
    config: planned satisfies PlannedConfig,
    /** Remembers that a job of theirs was taken over. */
    took: (id: string) => {
      taken.add(id)
      files.writePrivateText(recordPath, `${JSON.stringify([...taken])}\n`)
    },
  }
}

function readTheirs(files: ImportParts['files'], from: string, home: string) {
  const path = from.replace(/^~(?=\/)/, home).replace(/\/+$/, '')
  if (/\.json5?$/.test(path)) return readFile(files, path)
  const config = parsed(files, `${path}/${CONFIG_NAME}`)
  const store = (config as { cron?: { store?: unknown } } | undefined)?.cron?.store
  const jobsPath = typeof store === 'string' ? store.replace(/^~(?=\/)/, home) : `${path}/${JOBS_NAME}`
  const jobs = parsed(files, jobsPath)
  const found = [...(config === undefined ? [] : [`${path}/${CONFIG_NAME}`]), ...(jobs === undefined ? [] : [jobsPath])]
  if (found.length === 0) throw nothingAt(path)
  return { config, jobs, sources: found }
}

/** One file is the config or the jobs, by what is in it. */
function readFile(files: ImportParts['files'], path: string) {
  const document = parsed(files, path)
  if (document === undefined) throw nothingAt(path)
  const isJobs = Array.isArray(document) || Array.isArray((document as { jobs?: unknown }).jobs)
  return { config: isJobs ? undefined : document, jobs: isJobs ? document : undefined, sources: [path] }
}

function parsed(files: ImportParts['files'], path: string): unknown {
  return parseConfig(files.readText(path), path)
}

function nothingAt(path: string): SluiceError {
  const message = `There is neither ${CONFIG_NAME} nor ${JOBS_NAME} in ${path}. Name the folder or the file: sluice import clawdbot <path>`
  return new SluiceError('NOT_FOUND', message, { outcome: 'not-started' })
}

function recorded(text: string | undefined): string[] {
  return text === undefined ? [] : (JSON.parse(text) as string[])
}

/** What this Sluice would refuse of it. */
function wrongPaths(place: ConfigPlace, patch: object): readonly { path: string; message: string }[] {
  const { exists, hash } = shownConfig(place)
  const { issues = [] } = judged(() =>
    judgedPatch(place, { raw: JSON.stringify(patch), ...(exists && { baseHash: hash }) }),
  )
  return issues
}
