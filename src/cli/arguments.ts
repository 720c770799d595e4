// Reads the words of a command line against what a command declares. Stricter than the parsers of the ecosystem: an
// unknown flag, a missing value, a flag given twice or a word too many is refused, each by name.
import { didYouMean, UsageError } from './usage.ts'

export interface Flag {
  /** What the value is, as help shows it (`<text>`); a flag without it is a switch. */
  readonly value?: string
  readonly short?: string
  readonly aliases?: readonly string[]
  readonly summary: string
}
export type Flags = Readonly<Record<string, Flag>>

export interface Declared {
  readonly flags: Flags
  /** Names of the words that follow, in order. */
  readonly positionals: readonly string[]
  readonly example: string
}

export class Arguments {
  readonly positionals: readonly string[]
  readonly #values: ReadonlyMap<string, string | true>
  readonly #example: string

  constructor(positionals: readonly string[], values: ReadonlyMap<string, string | true>, example: string) {
    this.positionals = positionals
    this.#values = values
    this.#example = example
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return typeof value === 'string' ? value : undefined
  }

  /** A text that must be there and say something. */
  required(name: string): string {
    const value = this.text(name)
    if (value === undefined) throw this.usage(`--${name} is missing.`)
    if (value.trim() === '') throw this.usage(`--${name} is empty.`)
    return value
  }

  whole(name: string, range: { min: number; max: number }): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = /^\d+$/.test(value.trim()) ? Number(value) : Number.NaN
    if (number >= range.min && number <= range.max) return number
    throw this.usage(`--${name} must be a whole number from ${range.min} to ${range.max}, not "${value}".`)
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const found = allowed.find(each => each === value)
    if (found) return found
    throw this.usage(`--${name} must be ${allowed.join(' or ')}, not "${value}".`)
  }

  usage(message: string): UsageError {
    return new UsageError(message, this.#example)
  }
}

interface Reading {
  readonly words: string[]
  readonly values: Map<string, string | true>
}

export function readArguments(args: readonly string[], declared: Declared): Arguments {
  const reading: Reading = { words: [], values: new Map() }
  for (let index = 0; index < args.length; ) {
    const arg = args[index] ?? ''
    if (arg === '--') {
      reading.words.push(...args.slice(index + 1))
      break
    }
    if (/^-[^\d]/.test(arg)) index += readFlag(args.slice(index), declared, reading)
    else {
      reading.words.push(arg)
      index += 1
    }
  }
  const extra = reading.words[declared.positionals.length]
  if (extra !== undefined) {
    throw new UsageError(
      `"${extra}" is a word too many. If it belongs to a text, put the text in quotes.`,
      declared.example,
    )
  }
  return new Arguments(reading.words, reading.values, declared.example)
}

/** Reads the flag at the front; answers how many arguments it took. */
function readFlag(args: readonly string[], declared: Declared, reading: Reading): number {
  const [arg = '', next] = args
  const [written = '', ...rest] = arg.startsWith('--') ? arg.split('=') : [arg]
  const name = flagName(written, declared.flags)
  if (name === undefined) throw unknownFlag(written, declared)
  if (reading.values.has(name)) throw new UsageError(`${written} is given twice.`, declared.example)
  const takesValue = declared.flags[name]?.value !== undefined
  if (!takesValue) {
    if (rest.length > 0) throw new UsageError(`${written} takes no value.`, declared.example)
    reading.values.set(name, true)
    return 1
  }
  if (rest.length > 0) {
    reading.values.set(name, rest.join('='))
    return 1
  }
  const nextIsFlag = next?.startsWith('-') && flagName(next.split('=')[0] ?? '', declared.flags) !== undefined
  if (next === undefined || nextIsFlag) {
    const hint = nextIsFlag ? ` If the value is "${next}", write ${written}=${next}` : ''
    throw new UsageError(`${written} needs a value.${hint}`, declared.example)
  }
  reading.values.set(name, next)
  return 2
}

/** The name under which a flag is declared, from any of its spellings. */
export function flagName(written: string, flags: Flags): string | undefined {
  for (const [name, flag] of Object.entries(flags)) {
    if (written === `--${name}` || (flag.short && written === `-${flag.short}`)) return name
    if (flag.aliases?.some(alias => written === `--${alias}`)) return name
  }
  return undefined
}

function unknownFlag(written: string, { flags, example }: Declared): UsageError {
  const spellings = Object.entries(flags).flatMap(([name, flag]) => [name, ...(flag.aliases ?? [])])
  const near = didYouMean(written.replace(/^-+/, ''), spellings)
  return new UsageError(`There is no flag ${written} here.${near ? ` Did you mean --${near}?` : ''}`, example)
}
