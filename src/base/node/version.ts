// The version of this Sluice: a constant in the bundle (scripts/build.ts defines it), package.json when run from
// source. It has no other source.
import { readFileSync } from 'node:fs'

declare const SLUICE_BUNDLED_VERSION: string | undefined

function versionOfSource(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  return manifest.version
}

export const VERSION: string = typeof SLUICE_BUNDLED_VERSION === 'string' ? SLUICE_BUNDLED_VERSION : versionOfSource()
