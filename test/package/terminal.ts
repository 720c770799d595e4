// A program in a pseudo-terminal, as a person at a keyboard has it: what is on its screen so far, and keys. It ends only
// what it started.
import { type IPty, spawn } from '@lydell/node-pty'
import { BOUND_MS, within } from '../e2e/bound.ts'

export interface TerminalOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

export class Terminal {
  readonly ended: Promise<number>
  readonly #pty: IPty
  readonly #watchers = new Set<() => void>()
  #seen = ''
  #isEnded = false

  constructor(command: readonly [string, ...string[]], options: TerminalOptions) {
    const [file, ...args] = command
    this.#pty = spawn(file, args, { ...options, cols: 100, rows: 40, name: 'xterm-256color' })
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#pty.onData(data => {
      this.#seen += data
      for (const look of this.#watchers) look()
    })
    this.#pty.onExit(({ exitCode }) => {
      this.#isEnded = true
      resolve(exitCode)
      for (const look of this.#watchers) look()
    })
    this.ended = promise
  }

  /** All that was written, without the escape sequences that paint it. */
  get text(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it removes.
    return this.#seen.replaceAll(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '').replaceAll('\r', '')
  }

  /** Waits until the pattern has been written after `from` characters of text; answers the match. */
  async see(pattern: RegExp, { from = 0, boundMs = BOUND_MS } = {}): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
    const look = () => {
      const match = pattern.exec(this.text.slice(from))
      if (match) resolve(match)
      else if (this.#isEnded) reject(new Error(`ended without ${pattern}:\n${this.text}`))
    }
    this.#watchers.add(look)
    look()
    try {
      return await within(promise, () => `${pattern} in:\n${this.text}`, boundMs)
    } finally {
      this.#watchers.delete(look)
    }
  }

  type(keys: string): void {
    this.#pty.write(keys)
  }

  kill(): void {
    if (!this.#isEnded) this.#pty.kill('SIGKILL')
  }
}
