// The port through which time, randomness, network, disk and processes reach us, so that tests and the simulator own
// them. Production code takes a World (or the one part it needs); only base/node implements it for real.

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump either way. */
  now(): number
  /** Never goes back; for measuring spans. Milliseconds from an arbitrary origin. */
  monotonic(): number
  /** Calls back once after at least `delayMs`; never before the caller has returned. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer
}

export interface Random {
  uuid(): string
  /** `bytes` random bytes as lower-case hex, fit for secrets. */
  hex(bytes: number): string
}

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** What the gateway needs of a disk outside its store: small private text files. */
export interface Files {
  /** The text, or undefined when there is no such file; other errors are thrown as they come. */
  readText(path: string): string | undefined
  /** Creates or replaces in one step (temporary file, fsync, rename) with mode 0600. */
  writePrivateText(path: string, text: string): void
  /** Creates the folder and its parents with mode 0700, and tightens it when it is wider. */
  ensurePrivateFolder(path: string): void
}

/** One command: an executable and its words, never a shell's line. */
export interface Command {
  /** Absolute path. */
  readonly executable: string
  readonly args: readonly string[]
  readonly cwd: string
  /** All that it has; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** Characters of output that are kept: the first half and the last. */
  readonly outputLengthMax: number
  /** Ends the process and all it started: SIGTERM, and SIGKILL for what is left after 2 s. */
  readonly signal: AbortSignal
}

export interface CommandEnd {
  /** Null when a signal ended it. */
  readonly exitCode: number | null
  readonly signal: string | null
  /** stdout and stderr as they came; where something was left out, a line says how much. */
  readonly output: string
  /** Characters left out. */
  readonly cut: number
}

export interface Processes {
  /** The file that a name means on a PATH, or a path from `cwd`; undefined when there is no such command. */
  find(name: string, from: { readonly path: string; readonly cwd: string }): Promise<string | undefined>
  /**
   * Runs a command in a process group of its own, without input. When it has ended, so has all that it left in its group.
   * An abort ends it and is no error. Rejects with a SluiceError of outcome `not-started` when it cannot be started.
   */
  run(command: Command): Promise<CommandEnd>
}

export interface PublicAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  /** There was more than `bytesMax`. */
  readonly cut: boolean
}

/**
 * One GET of an http(s) URL, without following redirects. It reaches public addresses only: a name is resolved once, each
 * of its addresses is checked, and just those are connected to. Rejects with FORBIDDEN for any other address, with
 * UNAVAILABLE when nothing is answered, and with the signal's reason.
 */
export type PublicGet = (
  url: URL,
  options: { readonly bytesMax: number; readonly signal: AbortSignal },
) => Promise<PublicAnswer>

/**
 * Calls back, soon and not at once, whenever a file may have changed, was made or is gone: also where it is replaced, and on
 * folders that are mounted from elsewhere. Does not keep the process alive.
 */
export type WatchFile = (path: string, changed: () => void) => { stop(): void }

/**
 * The bytes of a file in a folder; a path that is not absolute is from there. Links are followed, and where they lead has to
 * be in the folder too. Reads nothing of a larger file. Rejects with a SluiceError whose message says why, as what
 * follows a "because": NOT_FOUND, FORBIDDEN outside of the folder, LIMIT, or UNAVAILABLE where the disk refuses.
 */
export type ReadWithin = (folder: string, path: string, bytesMax: number) => Promise<Uint8Array>

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly fetch: Fetch
  readonly publicGet: PublicGet
  readonly files: Files
  readonly readWithin: ReadWithin
  readonly watchFile: WatchFile
  readonly processes: Processes
}
