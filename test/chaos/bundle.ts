// The chaos run's gateway as a bundle, because a thousand starts from source would be most of the time. It is built as
// scripts/build.ts builds the published one, with this run's entries; the runner's bundle is the production one.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUNDLES: readonly Readonly<Record<string, string>>[] = [
  {
    gateway: 'test/chaos/gateway-process.ts',
    writer: 'test/chaos/writer-entry.ts',
    'integrity-thread': 'src/store/sqlite/integrity-thread.ts',
  },
  { 'runner-entry': 'src/runner-entry.ts' },
]
// CommonJS dependencies call `require` for Node's own modules, which ESM does not give them.
const BANNER = "import{createRequire as __r}from'node:module';const require=__r(import.meta.url);"

export interface ChaosBundle {
  readonly entry: string
  remove(): void
}

export async function buildChaosGateway(): Promise<ChaosBundle> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-chaos-bundle-'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const builds = BUNDLES.map(entries =>
    build({
      absWorkingDir: ROOT,
      entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out })),
      outdir: folder,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      external: ['better-sqlite3'],
      banner: { js: BANNER },
      define: { SLUICE_BUNDLED_VERSION: JSON.stringify('0.0.0') },
      logLevel: 'warning',
    }),
  )
  await Promise.all(builds)
  return { entry: join(folder, 'gateway.js'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
