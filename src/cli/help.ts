// Help texts, derived from the table of commands.
import type { Flags } from './arguments.ts'
import { COMMANDS, GLOBAL_FLAGS } from './catalogue.ts'
import type { Command } from './command.ts'
import { wrap } from './text/width.ts'

/** On a terminal summaries are broken to stand beside what they are of, or below it where that is long. */
function aligned(rows: readonly (readonly [string, string])[], columns = Number.POSITIVE_INFINITY): string {
  const width = Math.min(Math.max(...rows.map(([left]) => left.length)), Math.floor(columns / 2) - 4)
  const besides = `\n${' '.repeat(width + 4)}`
  const lines = rows.map(([left, right]) => {
    const beside = wrap(right, columns - width - 5).join(besides)
    return `  ${left.padEnd(width)}${left.length > width ? besides : '  '}${beside}`
  })
  return lines.join('\n')
}

export function overview(version: string, columns?: number): string {
  return [
    `Sluice ${version}, a self-hosted gateway for AI agents`,
    '',
    'Usage: sluice <command> [flags]',
    '',
    aligned(namesOf(COMMANDS), columns),
    '',
    'sluice <command> --help says more on one. sluice --version says which this is.',
    'Environment: SLUICE_STATE_DIR, SLUICE_CONFIG_PATH, SLUICE_GATEWAY_PORT, SLUICE_GATEWAY_TOKEN, NO_COLOR',
    'Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted',
    '',
  ].join('\n')
}

export function commandHelp(command: Command, columns?: number): string {
  const { name, aliases, summary, positionals, flags, example } = command
  return [
    `sluice ${withWords(name, positionals)}: ${summary}`,
    ...(aliases ? [`Also: ${aliases.map(alias => `sluice ${alias}`).join(', ')}`] : []),
    '',
    aligned(flagRows({ ...flags, ...GLOBAL_FLAGS }), columns),
    '',
    `Example: sluice ${example}`,
    '',
  ].join('\n')
}

/** Help of a noun such as `cron`, which alone is no command. */
export function nounHelp(noun: string, commands: readonly Command[], columns?: number): string {
  return `sluice ${noun}: one of\n\n${aligned(namesOf(commands), columns)}\n\nsluice ${noun} <command> --help says more on one.\n`
}

function namesOf(commands: readonly Command[]): [string, string][] {
  return commands.map(({ name, positionals, summary }) => [withWords(name, positionals), summary])
}

function withWords(name: string, positionals: readonly string[] = []): string {
  return [name, ...positionals.map(word => (word.startsWith('[') ? word : `<${word}>`))].join(' ')
}

function flagRows(flags: Flags): [string, string][] {
  return Object.entries(flags).map(([name, { value, short, aliases, summary }]) => {
    const spellings = [...(short ? [`-${short}`] : []), `--${name}`, ...(aliases ?? []).map(alias => `--${alias}`)]
    return [`${spellings.join(', ')}${value ? ` ${value}` : ''}`, summary]
  })
}
