// Completion: bash itself is asked what may follow; the scripts of all shells name every command and flag there is.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { COMMANDS, GLOBAL_FLAGS } from '../../src/cli/catalogue.ts'
import { type CompletionShell, completionScript, SHELLS } from '../../src/cli/completion.ts'
import { run, testShell } from './test-shell.ts'

const scriptOf = (shell: CompletionShell) => completionScript(shell, { commands: COMMANDS, globalFlags: GLOBAL_FLAGS })

/** What bash offers for the last word of each of these lines. One bash for all: starting one is what takes time. */
function offeredFor(lines: readonly (readonly string[])[]): string[][] {
  const script = `${scriptOf('bash')}
for line; do
  read -ra COMP_WORDS <<< "sluice $line"; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _sluice
  echo "\${COMPREPLY[*]}"
done`
  const args = ['-c', script, 'bash', ...lines.map(words => words.join(' '))]
  const answers = execFileSync('bash', args, { encoding: 'utf8' }).trimEnd().split('\n')
  return lines.map((_, index) => (answers[index] ?? '').split(' ').filter(Boolean))
}
const offered = (...words: string[]) => offeredFor([words])[0]

test('bash offers what may follow, from the first word to the flags', () => {
  expect(offered('cr')).toEqual(['cron'])
  expect(offered('cron', 'r')).toEqual(['rm', 'run', 'runs'])
  expect(offered('cron', 'list', '--a')).toEqual(['--all'])
  expect(offered('gateway', 're')).toEqual(['restart'])
  expect(offered('gateway', '--p')).toEqual(['--port'])
  expect(offered('config', 'set', 'cron.enabled', '--t')?.sort()).toEqual(['--text', '--timeout', '--token'])
  expect(offered('--no-color', 'cron', 'li')).toEqual(['list'])
  expect(offered('approve', '0fe0ab11', '--al')).toEqual(['--always'])
  expect(offered('nonsense', 'x')).toEqual([])
})

test('each command is offered after its noun, and each of its flags after it', () => {
  const names = offeredFor(COMMANDS.map(({ name }) => name.split(' ')))
  const flagsOf = offeredFor(COMMANDS.map(({ name }) => [...name.split(' '), '--']))
  for (const [index, { name, flags }] of COMMANDS.entries()) {
    expect(names[index], name).toContain(name.split(' ').at(-1))
    expect(flagsOf[index], name).toEqual(expect.arrayContaining(Object.keys(flags).map(flag => `--${flag}`)))
  }
})

test.each(['zsh', 'fish'] as const)('%s is told each command and each flag', shell => {
  const words = new Set(scriptOf(shell).split(/[\s']+/))
  for (const { name, flags } of COMMANDS) {
    for (const word of name.split(' ')) expect(words).toContain(word)
    for (const flag of Object.keys(flags)) expect(words).toContain(shell === 'fish' ? flag : `--${flag}`)
  }
})

test('the command prints the script, and wants to know for which shell', async () => {
  for (const name of SHELLS) {
    const shell = testShell('ws://127.0.0.1:1')
    expect(await run(shell, 'completion', name)).toBe(0)
    expect(shell.out).toBe(scriptOf(name))
  }
  const shell = testShell('ws://127.0.0.1:1')
  expect([await run(shell, 'completion', 'csh'), shell.err]).toEqual([2, expect.stringMatching(/bash, zsh, fish/)])
})
