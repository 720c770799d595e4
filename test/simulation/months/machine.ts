// The commands of a world of months: conditions, and the work of command jobs. How each ends is drawn; what was run is kept
// over all lives of the gateway, outside the store. No command is run twice, none does what its condition did not allow, and
// each row says how they ended.
import { MINUTE, SECOND } from '../../../src/base/durations.ts'
import { pause } from '../../../src/base/pause.ts'
import type { Clock, Command, CommandEnd, Processes } from '../../../src/base/world.ts'
import { Prng } from '../prng.ts'
import { type JobBook, type LedgerRow, words } from './books.ts'
import { CONDITION, WORK } from './drawn-work.ts'

interface RunOf {
  readonly jobId: string
  readonly occurrence: string
  readonly sessionKey: string
}

export interface RunsWorld {
  readonly seed: number
  readonly stormy: () => boolean
  readonly step: () => number
  readonly wallMs: () => number
  readonly book: (jobId: string) => JobBook | undefined
  /** Of a run: its job and occurrence, as the gateway took it on. */
  readonly runOf: (runId: string) => RunOf | undefined
  readonly violate: (checker: string, what: string) => void
}

type End = 'yes' | 'no' | 'hung'

interface Ran {
  /** Absent: nobody can say whether it was written down. */
  end?: { readonly how: End; readonly step: number }
}

const OUT_OF_TIME_MS = 100 * MINUTE
const never = new Promise<never>(() => undefined)

/** Whose process it is, as its cause says. */
function runIdOf({ env }: Command): string {
  return (
    Buffer.from(env.SLUICE_CAUSE?.split('.')[0] ?? '', 'base64url')
      .toString()
      .split('\n')[3] ?? ''
  )
}

export class Machine {
  readonly #world: RunsWorld
  /** By command, job and occurrence. */
  readonly #ran = new Map<string, Ran>()

  constructor(world: RunsWorld) {
    this.#world = world
  }

  processes({ clock, isDead }: { clock: Clock; isDead: () => boolean }): Processes {
    return {
      find: async name => (name === CONDITION || name === WORK ? `/usr/bin/${name}` : undefined),
      run: async command => {
        if (isDead()) return await never
        const { ends, how, takesMs } = this.#begin(command)
        await pause(clock, takesMs, command.signal)
        if (isDead()) return await never
        ends(command.signal.aborted ? 'hung' : how)
        if (command.signal.aborted) return { exitCode: null, signal: 'SIGTERM', output: '', cut: 0 }
        return { exitCode: how === 'yes' ? 0 : 1, signal: null, output: '', cut: 0 } satisfies CommandEnd
      },
    }
  }

  /** With the last step of a life goes what nobody wrote down. */
  forget(step: number): void {
    for (const ran of this.#ran.values()) if (ran.end?.step === step) delete ran.end
  }

  #begin(command: Command): { ends: (how: End) => void; how: End; takesMs: number } {
    const { violate, runOf, step, seed, stormy, book } = this.#world
    const { jobId = '', occurrence = '' } = runOf(runIdOf(command)) ?? {}
    const name = `${command.executable.slice('/usr/bin/'.length)} ${jobId} ${occurrence}`
    if (this.#ran.has(name)) violate('command', `${name} was run twice`)
    if (name.startsWith(WORK as string)) this.judgeAllowed(book(jobId), occurrence)
    const ran: Ran = {}
    this.#ran.set(name, ran)
    const random = new Prng(`command ${seed} ${name}`)
    const how = stormy() ? random.weighted<End>({ yes: 10, no: 4, hung: 0.7 }) : 'yes'
    return {
      how,
      takesMs: how === 'hung' ? OUT_OF_TIME_MS : random.span(SECOND, 4 * MINUTE),
      ends: ended => {
        ran.end = { how: ended, step: step() }
      },
    }
  }

  #endOf(command: string | undefined, { id }: JobBook, occurrence: string): End | undefined {
    return this.#ran.get(`${command} ${id} ${occurrence}`)?.end?.how
  }

  /** What a job does begins only where its condition said yes. */
  judgeAllowed(book: JobBook | undefined, occurrence: string): void {
    if (!book?.work.when) return
    const asked = this.#ran.get(`${CONDITION} ${book.id} ${occurrence}`)
    const said = asked?.end?.how ?? (asked && 'yes')
    if (said !== 'yes') this.#world.violate('when', `${book.id} ${occurrence} goes on, its condition: ${said}`)
  }

  /** Whether the row says what the commands of its occurrence did. */
  judgeRow(book: JobBook, row: LedgerRow): void {
    const { kind, when } = book.work
    const said = when ? this.#endOf(CONDITION, book, row.occurrence) : undefined
    const did = kind === 'command' ? this.#endOf(WORK, book, row.occurrence) : undefined
    const wrong = wrongEnd(row, { said, did })
    if (wrong) this.#world.violate('command', `${words(row)} ${wrong}`)
  }
}

function wrongEnd(
  { state, error, exit_code }: LedgerRow,
  { said, did }: { said: End | undefined; did: End | undefined },
): string | undefined {
  const because = `${state} because of: ${error}`
  if (state === 'skipped' && said === 'yes') return `should have gone on, and is ${because}`
  if (state === 'skipped' && error?.startsWith('its when command ended with exit code 1') !== true)
    return `should say that its condition ended with 1, and is ${because}`
  if (said === 'no' && (state === 'ok' || state === 'failed' || state === 'timed-out'))
    return `should be skipped: its condition said no; it is ${because}`
  const ended = did ?? said
  if (ended === 'hung' && (state === 'ok' || state === 'failed')) return `ran out of time, and is ${because}`
  if (did === 'no' && state === 'failed' && exit_code !== 1) return `should have exit code 1, not ${exit_code}`
  return did === 'no' && state === 'ok' ? 'should have failed with exit code 1' : undefined
}
