// Writes what in docs/reference/ is derived from the sources: `node scripts/reference.ts`. A test compares, so that the
// reference is never older than what it describes.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ConfigKey, configKeys } from '../src/config/keys.ts'
import { UNUSED_KEYS } from '../src/config/known-keys.ts'

const FOLDER = fileURLToPath(new URL('../docs/reference', import.meta.url))

/** Texts by the name of the file. */
export function references(): Readonly<Record<string, string>> {
  return { 'config.md': configReference() }
}

function configReference(): string {
  const sections = Map.groupBy(configKeys(), ({ path }) => path.split('.')[0] ?? '')
  return [
    '# All keys of the config',
    '',
    'Made from the schema by `node scripts/reference.ts`; do not edit. How the file works is in',
    '[the guide](../guides/configuration.md). `*` stands for a name that you choose, or for a place in a list.',
    '',
    ...[...sections].flatMap(([name, keys]) => [`## ${name}`, '', ...table(keys), '']),
    '## Understood, and not used yet',
    '',
    'A config may have these keys, alone or with what is below them. They change nothing in this version, and the start',
    'and `sluice config validate` say so.',
    '',
    UNUSED_KEYS.map(key => `\`${key}\``).join(', '),
    '',
  ].join('\n')
}

function table(keys: readonly ConfigKey[]): string[] {
  return ['| key | may be | default | what it does |', '|---|---|---|---|', ...keys.map(row)]
}

function row(key: ConfigKey): string {
  const { path, allowed, description, secret } = key
  const byDefault = 'default' in key ? `\`${JSON.stringify(key.default)}\`` : ''
  const cells = [`\`${path}\``, allowed, byDefault, secret ? `${description} A secret: never shown.` : description]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(references())) writeFileSync(join(FOLDER, name), text)
}
