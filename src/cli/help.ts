// Help texts, derived from the table of commands.
import type { Flags } from './arguments.ts'
import { COMMANDS, GLOBAL_FLAGS } from './catalogue.ts'
import type { Command } from './command.ts'

function aligned(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}

export function overview(version: string): string {
  return [
    `Sluice ${version}, a self-hosted gateway for AI agents`,
    '',
    'Usage: sluice <command> [flags]',
    '',
    aligned(COMMANDS.map(({ name, positionals, summary }) => [withWords(name, positionals), summary])),
    '',
    'sluice <command> --help says more on one. sluice --version says which this is.',
    'Environment: SLUICE_STATE_DIR, SLUICE_CONFIG_PATH, SLUICE_GATEWAY_PORT, SLUICE_GATEWAY_TOKEN, NO_COLOR',
    'Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted',
    '',
  ].join('\n')
}

export function commandHelp({ name, aliases, summary, positionals, flags, example }: Command): string {
  return [
    `sluice ${withWords(name, positionals)}: ${summary}`,
    ...(aliases ? [`Also: ${aliases.map(alias => `sluice ${alias}`).join(', ')}`] : []),
    '',
    aligned(flagRows({ ...flags, ...GLOBAL_FLAGS })),
    '',
    `Example: sluice ${example}`,
    '',
  ].join('\n')
}

/** Help of a noun such as `cron`, which alone is no command. */
export function nounHelp(noun: string, commands: readonly Command[]): string {
  const rows = commands.map(({ name, positionals, summary }): [string, string] => [
    withWords(name, positionals),
    summary,
  ])
  return `sluice ${noun}: one of\n\n${aligned(rows)}\n\nsluice ${noun} <command> --help says more on one.\n`
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
