// Scripts by which shells complete the words of our commands, derived from the catalogue like help. They hold only names:
// no gateway is asked while somebody types.
import type { Flags } from './arguments.ts'
import type { Command } from './command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type CompletionShell = (typeof SHELLS)[number]

/** What may follow, after the words of a command or the beginning of one. */
interface Place {
  readonly before: readonly string[]
  readonly verbs: readonly string[]
  readonly flags: readonly string[]
}

export interface Catalogue {
  readonly commands: readonly Command[]
  readonly globalFlags: Flags
}

export function completionScript(shell: CompletionShell, catalogue: Catalogue): string {
  switch (shell) {
    case 'bash':
      return bashScript(placesIn(catalogue))
    case 'zsh':
      return zshScript(placesIn(catalogue))
    case 'fish':
      return fishScript(catalogue)
  }
}

function placesIn({ commands, globalFlags }: Catalogue): Place[] {
  const flagsOf = (flags: Flags) => Object.keys({ ...flags, ...globalFlags }).map(name => `--${name}`)
  const nouns = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))]
  const first: Place = { before: [], verbs: nouns, flags: [...flagsOf({}), '--version'] }
  const ofNouns = nouns.map((noun): Place => {
    const own = commands.find(({ name }) => name === noun)
    return { before: [noun], verbs: verbsOf(noun, commands), flags: flagsOf(own?.flags ?? {}) }
  })
  const ofVerbs = commands
    .filter(({ name }) => name.includes(' '))
    .map((command): Place => {
      return { before: command.name.split(' '), verbs: [], flags: flagsOf(command.flags) }
    })
  // The longer ones first: a case takes the first that fits.
  return [...ofVerbs, ...ofNouns, first]
}

function verbsOf(noun: string, commands: readonly Command[]): string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${noun} `) ? [name.slice(noun.length + 1)] : []))
}

/** The first words that are no flags decide what may follow. */
function cases(all: readonly Place[]): string[] {
  return all.map(({ before, verbs, flags }) => {
    const words = before.join(' ')
    const pattern = before.length === 1 ? `'${words}' | '${words} '*` : `'${words}'`
    return `    ${pattern}) options='${[...verbs, ...flags].join(' ')}' ;;`
  })
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is how shells name variables.
function bashScript(all: readonly Place[]): string {
  return [
    '# Completion of sluice for bash. Use: source <(sluice completion bash)',
    '_sluice() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" options="" index',
    '  local -a before=()',
    '  for ((index = 1; index < COMP_CWORD; index++)); do',
    '    [[ ${COMP_WORDS[index]} == -* ]] || before+=("${COMP_WORDS[index]}")',
    '  done',
    '  case "${before[*]:0:2}" in',
    ...cases(all),
    '  esac',
    '  COMPREPLY=($(compgen -W "$options" -- "$current"))',
    '}',
    'complete -o default -F _sluice sluice',
    '',
  ].join('\n')
}

function zshScript(all: readonly Place[]): string {
  return [
    '#compdef sluice',
    '# Completion of sluice for zsh. Use: source <(sluice completion zsh)',
    '_sluice() {',
    '  local options="" word',
    '  local -a before=()',
    '  for word in "${words[@]:1:$((CURRENT - 2))}"; do',
    '    [[ $word == -* ]] || before+=("$word")',
    '  done',
    '  case "${before[*]:0:2}" in',
    ...cases(all),
    '  esac',
    '  compadd -- ${=options}',
    '  _files',
    '}',
    'compdef _sluice sluice',
    '',
  ].join('\n')
}

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above.

function fishScript(catalogue: Catalogue): string {
  const { commands, globalFlags } = catalogue
  const nouns = placesIn(catalogue).flatMap(({ before }) => (before.length === 1 ? before : []))
  const lines = commands.flatMap(({ name, summary, flags }) => {
    const [noun = '', verb] = name.split(' ')
    const isHere = verb === undefined ? `__fish_seen_subcommand_from ${noun}` : seen(noun, verb)
    const own =
      verb === undefined
        ? []
        : [line(`${seen(noun)}; and not ${seen(verbsOf(noun, commands).join(' '))}`, `-a ${verb}`, summary)]
    const ofFlags = Object.entries(flags).map(([flag, { value, short, summary: about }]) => {
      return line(isHere, `-l ${flag}${short ? ` -s ${short}` : ''}${value ? ' -r' : ''}`, about)
    })
    return [...own, ...ofFlags]
  })
  return [
    '# Completion of sluice for fish. Use: sluice completion fish | source',
    ...nouns.map(noun =>
      line('__fish_use_subcommand', `-a ${noun}`, commands.find(({ name }) => name === noun)?.summary ?? ''),
    ),
    ...Object.entries(globalFlags).map(([flag, { summary }]) => line('true', `-l ${flag}`, summary)),
    ...lines,
    '',
  ].join('\n')
}

function seen(...words: readonly string[]): string {
  return words.map(word => `__fish_seen_subcommand_from ${word}`).join('; and ')
}

function line(condition: string, what: string, summary: string): string {
  const quoted = summary.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
  return `complete -c sluice -n '${condition}' ${what} -d '${quoted}'`
}
