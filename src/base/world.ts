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

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly fetch: Fetch
  readonly files: Files
}
