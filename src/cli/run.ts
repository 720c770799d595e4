// From the words of a command line to an exit code: finds the command, reads its arguments, runs it, and says what went
// wrong in the form that was asked for. The only place where errors become text.
import { asSluiceError, SluiceError } from '../base/errors.ts'
import { type Declared, flagName, readArguments } from './arguments.ts'
import { COMMANDS, GLOBAL_FLAGS } from './catalogue.ts'
import type { Command } from './command.ts'
import { commandHelp, nounHelp, overview } from './help.ts'
import { EXIT, type Shell } from './shell.ts'
import { sanitize } from './text/sanitize.ts'
import { didYouMean, UsageError } from './usage.ts'

export async function runCli(args: readonly string[], shell: Shell): Promise<number> {
  let command: Command | undefined
  try {
    const wanted = splitArgs(args[0] === 'help' ? [...args.slice(1), '--help'] : args)
    if (args.includes('--version') && wanted.words.length === 0) {
      shell.stdout.write(`${shell.version}\n`)
      return EXIT.ok
    }
    command = findCommand(wanted.words)
    if (!command) return showHelp(wanted, shell)
    return await runCommand(command, wanted, shell)
  } catch (error) {
    return report(error, { command, json: args.includes('--json') }, shell)
  }
}

interface Wanted {
  readonly words: readonly string[]
  readonly rest: readonly string[]
  readonly help: boolean
}

/** The leading words, which name a command, and the rest; flags may stand before them. */
function splitArgs(args: readonly string[]): Wanted {
  const before: string[] = []
  let start = 0
  for (; start < args.length && args[start]?.startsWith('-'); start += 1) before.push(args[start] ?? '')
  const words: string[] = []
  for (const arg of args.slice(start, start + 2)) {
    if (arg.startsWith('-')) break
    words.push(arg)
  }
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  return { words, rest: [...before, ...args.slice(start)], help: flags.some(arg => arg === '--help' || arg === '-h') }
}

/** The command of the most leading words; what follows them are its positionals. */
function findCommand(words: readonly string[]): Command | undefined {
  for (let count = words.length; count > 0; count -= 1) {
    const name = words.slice(0, count).join(' ')
    const found = COMMANDS.find(command => command.name === name || command.aliases?.includes(name))
    if (found) return found
  }
  return undefined
}

async function runCommand(command: Command, { rest, words, help }: Wanted, shell: Shell): Promise<number> {
  if (help) {
    shell.stdout.write(commandHelp(command, shell.stdout.columns()))
    return EXIT.ok
  }
  const declared: Declared = {
    flags: { ...command.flags, ...GLOBAL_FLAGS },
    positionals: command.positionals ?? [],
    example: command.example,
  }
  const args = readArguments(withoutName(command, rest, words), declared)
  const run = await command.load()
  return run(args, shell)
}

function withoutName(command: Command, rest: readonly string[], words: readonly string[]): string[] {
  const spellings = [command.name, ...(command.aliases ?? [])]
  const isWhole = words.length === 2 && spellings.includes(words.join(' '))
  const from = rest.indexOf(words[0] ?? '')
  // `gateway chat` is neither `gateway` with a positional nor any command: say so instead of "a word too many".
  const [noun, verb] = words
  if (!isWhole && verb !== undefined && !command.positionals) throw unknownCommand([noun ?? '', verb])
  return [...rest.slice(0, from), ...rest.slice(from + (isWhole ? 2 : 1))]
}

function showHelp({ words, rest, help }: Wanted, shell: Shell): number {
  const [noun] = words
  if (noun === undefined) {
    const stray = rest.find(arg => flagName(arg, GLOBAL_FLAGS) === undefined)
    if (stray !== undefined) throw new UsageError(`${stray} needs a command.`, 'cron list')
    const out = help ? shell.stdout : shell.stderr
    out.write(overview(shell.version, out.columns()))
    return help ? EXIT.ok : EXIT.usage
  }
  const ofNoun = COMMANDS.filter(({ name }) => name.startsWith(`${noun} `))
  if (ofNoun.length === 0 || (words.length > 1 && !help)) throw unknownCommand(words)
  const out = help ? shell.stdout : shell.stderr
  out.write(nounHelp(noun, ofNoun, out.columns()))
  return help ? EXIT.ok : EXIT.usage
}

function unknownCommand(words: readonly string[]): UsageError {
  const typed = words.join(' ')
  const names = COMMANDS.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])])
  const near = didYouMean(typed, names) ?? didYouMean(words[0] ?? '', names)
  return new UsageError(`There is no command "${typed}".${near ? ` Did you mean "${near}"?` : ''}`)
}

interface Context {
  readonly command: Command | undefined
  readonly json: boolean
}

function errorOf(thrown: unknown): SluiceError {
  if (thrown instanceof UsageError) return new SluiceError('INVALID_REQUEST', thrown.message)
  // What the system refuses, such as another user's file, is no defect of ours.
  if (!(thrown instanceof Error && 'syscall' in thrown)) return asSluiceError(thrown)
  return new SluiceError('UNAVAILABLE', `${thrown.message}. Check that path, whose it is, and SLUICE_STATE_DIR.`)
}

function report(thrown: unknown, { command, json }: Context, shell: Shell): number {
  const isUsage = thrown instanceof UsageError
  const error = errorOf(thrown)
  if (json) {
    const { code, message, outcome, details } = error
    shell.stdout.write(
      `${JSON.stringify({ error: { code, message, ...(outcome && { outcome }), ...(details && { details }) } })}\n`,
    )
    return isUsage ? EXIT.usage : EXIT.failed
  }
  if (isUsage) {
    const help = command ? `sluice ${command.name} --help` : 'sluice --help'
    const example = thrown.example ? `  for example: sluice ${thrown.example}\n` : ''
    shell.stderr.write(`${sanitize(thrown.message)}\n${example}  all of it:   ${help}\n`)
    return EXIT.usage
  }
  if (error.code === 'CANCELLED') {
    shell.stderr.write(`${sanitize(error.message)}\n`)
    return EXIT.interrupted
  }
  const intro = command?.name === 'gateway call' ? 'Gateway call failed: ' : ''
  // The family's gateways begin some messages so themselves.
  const text = sanitize(error.message).replace(/^Error: /, '')
  shell.stderr.write(`${intro}Error: ${text}\n`)
  const isDefect = error.code === 'INTERNAL' && error.cause instanceof Error
  if (isDefect) shell.stderr.write(`${(error.cause as Error).stack}\n`)
  return EXIT.failed
}
