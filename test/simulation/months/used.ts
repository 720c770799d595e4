// What models used for the jobs of a world, counted outside the store: a request beyond a job's budget is a fault, and so is
// a run that was paused before its budget was used.
import { type JobBook, type LedgerRow, words } from './books.ts'
import { HOME_ZONE } from './drawn-jobs.ts'

interface Use {
  readonly jobId: string
  readonly runId: string
  readonly day: string
  readonly tokens: number
  readonly step: number
  /** The life ended with it: it may be on disk or not. */
  unsure?: true
}

const days = new Intl.DateTimeFormat('en-CA', { timeZone: HOME_ZONE })
const dayOf = (atMs: number) => days.format(atMs)

export class Used {
  readonly #uses = new Map<string, Use[]>()

  add(use: Omit<Use, 'day'> & { wallMs: number }): void {
    const uses = this.#uses.get(use.jobId) ?? []
    this.#uses.set(use.jobId, [...uses, { ...use, day: dayOf(use.wallMs) }])
  }

  forget(step: number): void {
    for (const uses of this.#uses.values()) for (const use of uses) if (use.step === step) use.unsure = true
  }

  /** Why the model must not be asked. */
  beyond(book: JobBook, runId: string, wallMs: number): string | undefined {
    const over = this.#over(book, { runId, wallMs, unsure: false })
    return over && `${runId} of ${book.id} asks, and has used ${over}`
  }

  /** Why the row must not say that its budget is used. */
  pausedEarly(book: JobBook, row: LedgerRow): string | undefined {
    const { run_id: runId, ended_at_ms: wallMs } = row
    if (row.state !== 'failed' || !row.error?.startsWith('Paused:')) return undefined
    const over = this.#over(book, { runId: runId ?? '', wallMs: wallMs ?? 0, unsure: true })
    return over ? undefined : `${words(row)} was paused with its budget not used: ${row.error}`
  }

  #over(book: JobBook, { runId, wallMs, unsure }: { runId: string; wallMs: number; unsure: boolean }) {
    const { runTokens = Number.POSITIVE_INFINITY, dayTokens = Number.POSITIVE_INFINITY } = book.policy.budget ?? {}
    const today = dayOf(wallMs)
    const uses = (this.#uses.get(book.id) ?? []).filter(use => unsure || !use.unsure)
    const sum = (of: readonly Use[]) => of.reduce((total, { tokens }) => total + tokens, 0)
    const ofRun = sum(uses.filter(use => use.runId === runId))
    // What a clock that was wrong into the future has used counts until that day is over.
    const ofDay = sum(uses.filter(({ day }) => day >= today))
    if (ofRun >= runTokens) return `${ofRun} of ${runTokens} tokens of its run`
    return ofDay >= dayTokens ? `${ofDay} of ${dayTokens} tokens of its day` : undefined
  }
}
