// What a command is: its entry in the catalogue, and the function behind it.
import type { Arguments, Flags } from './arguments.ts'
import type { Shell } from './shell.ts'

/** Answers the exit code. Throws UsageError for what was typed, SluiceError for what failed. */
export type Run = (args: Arguments, shell: Shell) => Promise<number>

export interface Command {
  /** `cron add` */
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  /** Words that follow the name; one that may be left out is in brackets. */
  readonly positionals?: readonly string[]
  readonly flags: Flags
  readonly example: string
  readonly load: () => Promise<Run>
}
