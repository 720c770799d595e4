// The container files, which no test builds, held against what they name: the pinned Node, our commands and variables.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/catalogue.ts'

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')
const dockerfile = read('Dockerfile')
const names = COMMANDS.map(({ name }) => name)

test('both stages run the Node that is pinned', () => {
  const { optionalDependencies } = JSON.parse(read('runtime/package.json'))
  const [pinned] = new Set(Object.values(optionalDependencies))
  const used = [...dockerfile.matchAll(/^FROM node:([\d.]+)-/gm)].map(([, version]) => version)
  expect(used).toEqual([pinned, pinned])
})

test('what the container runs are commands that exist', () => {
  const [, health] = /HEALTHCHECK .*CMD \["sluice", "(\w+)"\]/.exec(dockerfile) ?? []
  const [, start] = /^CMD \["(\w+)"\]$/m.exec(dockerfile) ?? []
  expect(names).toContain(health)
  expect(names).toContain(start)
  const guide = read('docs/guides/running.md')
  const said = [...guide.matchAll(/^docker compose (?:run --rm|exec) (one|two) (?:sluice )?(\w+ \w+)/gm)]
  for (const name of ['one', 'two']) {
    const commands = said.flatMap(([, service, command = '']) => (service === name ? [command] : []))
    expect(commands).toEqual(expect.arrayContaining(['config set', 'channels add']))
    for (const command of commands) expect(names).toContain(command)
  }
  for (const [, variable = ''] of read('compose.yaml').matchAll(/\$\{(\w+)/g)) expect(guide).toContain(variable)
})

test('the variables that are set are ours, and no gateway runs as root', () => {
  const readme = read('README.md')
  const set = [...`${dockerfile}\n${read('compose.yaml')}`.matchAll(/\b(SLUICE_\w+)[=:]/g)].map(([, name]) => name)
  expect(set.length).toBeGreaterThan(2)
  for (const name of set) expect(readme).toContain(`\`${name}\``)
  expect(dockerfile).toMatch(/^USER node$/m)
})
