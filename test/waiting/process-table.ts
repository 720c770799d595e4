// The kernel's own list of processes: what each was started with, and its environment. It shows what every user of the
// machine could read, and what a process was handed. Linux only, like the table of sockets.
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessRow {
  readonly pid: number
  /** All its words, as anybody on the machine can see them. */
  readonly commandLine: string
  readonly env: readonly string[]
}

export function processTable(): ProcessRow[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name => ({
      pid: Number(name),
      commandLine: wordsOf(name, 'cmdline').join(' '),
      env: wordsOf(name, 'environ'),
    }))
}

/** The processes that turns of the gateway at this port have started. */
export function processesOfTurns(port: number): ProcessRow[] {
  return processTable().filter(
    ({ env }) => env.includes(`SLUICE_GATEWAY_PORT=${port}`) && env.some(entry => entry.startsWith('SLUICE_CAUSE=')),
  )
}

/** None for a process that has ended meanwhile, or that is not ours to read. */
function wordsOf(pid: string, what: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0').filter(Boolean)
  } catch {
    return []
  }
}
