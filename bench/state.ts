// State folders for benches: made under the system's temporary folder, filled through the store itself, removed at the
// end of the process however it ends.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../src/protocol/job.ts'
import type { Store } from '../src/store/port.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'

const folders: string[] = []
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
process.on('SIGTERM', () => process.exit(143))

/** Makes a folder and answers its path. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  folders.push(folder)
  return folder
}

/** Twelve hours from now, so that no job falls due while a bench runs. */
const FAR_HOUR = (new Date().getUTCHours() + 13) % 24

/** A daily job. */
export function jobOf(id: string, ordinal: number): Job {
  const nowMs = Date.now()
  return {
    id,
    name: `check the backups of host ${ordinal}`,
    enabled: true,
    schedule: { kind: 'cron', expr: `${ordinal % 60} ${FAR_HOUR} * * *`, tz: 'Europe/Berlin' },
    sessionTarget: 'isolated',
    wakeMode: 'now',
    payload: { kind: 'message', text: `Look whether last night's backup of host ${ordinal} is whole.` },
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    state: { nextRunAtMs: nowMs + 86_400_000 + ordinal },
    madeBy: { kind: 'operator' },
  }
}

/** What `cron.add` is given for such a job. */
export function jobInput(ordinal: number) {
  const { name, schedule, payload, sessionTarget, wakeMode } = jobOf('', ordinal)
  return { name, schedule, payload, sessionTarget, wakeMode, enabled: true }
}

export async function addJobs(store: Store, count: number): Promise<void> {
  const add = (ordinal: number) => {
    const job = jobOf(`job-${String(ordinal).padStart(8, '0')}`, ordinal)
    return store.write.addJob({ job, equalKey: job.id, dedupe: false, nowMs: job.createdAtMs })
  }
  for (let from = 0; from < count; from += 2_000) {
    await Promise.all(Array.from({ length: Math.min(2_000, count - from) }, (_, index) => add(from + index)))
  }
}

/** A state folder that holds so many jobs. */
export async function folderWithJobs(count: number): Promise<string> {
  const folder = temporaryFolder()
  const store = await openSqliteStore({ folder, thread: false })
  await addJobs(store, count)
  await store.close()
  return folder
}
