// Bundles src/ into dist/: each entry a flat file, shared code in chunks, all dependencies inside but the native ones.
// Starting a bundle costs a fraction of starting the sources. `--if-stale` builds only when an input is newer than the
// last build. Outputs are held in memory and swapped in whole: a failed build leaves dist/ as it was.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildOptions, Metafile } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
const META = join(DIST, 'meta.json')
const INPUTS = ['src', 'package-lock.json', 'package.json', 'scripts/build.ts']

/**
 * Worker threads and the process: what src/base/node/worker-url.ts finds by name. The runner is bundled apart: what the
 * model SDK needs of a shared package must not be loaded by the gateway and the CLI.
 */
const BUNDLES: readonly Readonly<Record<string, string>>[] = [
  {
    main: 'src/main.ts',
    writer: 'src/store/sqlite/writer.ts',
    reader: 'src/store/sqlite/reader.ts',
    'integrity-thread': 'src/store/sqlite/integrity-thread.ts',
  },
  { 'runner-entry': 'src/runner-entry.ts' },
]
/** What programs and pages import; it has nothing of Node. */
const CLIENT = { client: 'src/client/library.ts' }

/** By way of globalThis: a bundled package has a `process` of its own. */
const ASK = 'globalThis.process.getBuiltinModule'
const REQUIRE = `const require=${ASK}("node:module").createRequire(import.meta.url);`

function manifest(): { version: string; dependencies: Record<string, string> } {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
}

function buildOptions(entries: Readonly<Record<string, string>>): BuildOptions & { metafile: true; write: false } {
  return {
    absWorkingDir: ROOT,
    entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out })),
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'chunk-[hash]',
    external: Object.keys(manifest().dependencies),
    define: { SLUICE_BUNDLED_VERSION: JSON.stringify(manifest().version) },
    // Names stay, so that stack traces can be read; a source map would be larger than the code.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  }
}

/**
 * Node's own modules are asked for, not imported: an import looks at all that a module exports, and `node:http` then loads
 * the whole of `fetch`, `node:fs` its streams. Every start pays for that, and every CLI call.
 */
function askingForNode(code: string): string {
  const asking = code.replaceAll(
    /import\{([\w$, ]+)\}from"(node:[\w/]+)"/g,
    (_, names: string, name: string) => `const{${names.replaceAll(' as ', ':')}}=${ASK}("${name}")`,
  )
  // CommonJS dependencies call `require`, which ESM does not give them; to make one costs a file that needs none.
  return /\brequire\b/.test(asking) ? REQUIRE + asking : asking
}

function newestMs(path: string): number {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  // The folder's own time counts too: it changes when a file is removed.
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestMs(join(path, name))), status.mtimeMs)
}

function isStale(): boolean {
  const builtMs = statSync(META, { throwIfNoEntry: false })?.mtimeMs
  return builtMs === undefined || INPUTS.some(path => newestMs(join(ROOT, path)) > builtMs)
}

/** The folders of the packages whose code is in the bundle, as paths from the root (`node_modules/zod`). */
function bundledPackages(metafile: Metafile): string[] {
  const inputs = Object.values(metafile.outputs).flatMap(output => Object.keys(output.inputs))
  const folders = inputs.map(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
  return [...new Set(folders.filter(folder => folder !== undefined))].sort()
}

function joined(metafiles: readonly Metafile[]): Metafile {
  return {
    inputs: Object.assign({}, ...metafiles.map(metafile => metafile.inputs)),
    outputs: Object.assign({}, ...metafiles.map(metafile => metafile.outputs)),
  }
}

/** The notices that the licences of bundled packages ask us to keep. */
function licenceTexts(metafile: Metafile): string {
  const sections = bundledPackages(metafile).map(folder => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
    const file = readdirSync(join(ROOT, folder)).find(entry => /^licen[sc]e/i.test(entry))
    const text = file ? readFileSync(join(ROOT, folder, file), 'utf8').trim() : `Licence: ${license}`
    return `${name} ${version} (${license})\n\n${text}\n`
  })
  return `Code of these packages is part of this bundle.\n\n${sections.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** Puts the new folder in dist's place. Another build may do the same at once; the last one stands. */
function swapIn(folder: string): void {
  const old = `${folder}.old`
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (statSync(DIST, { throwIfNoEntry: false })) renameSync(DIST, old)
      renameSync(folder, DIST)
      rmSync(old, { recursive: true, force: true })
      return
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (attempt === 5 || !['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(code ?? '')) throw error
      rmSync(old, { recursive: true, force: true })
    }
  }
}

async function build(): Promise<void> {
  const startedMs = Date.now()
  const esbuild = await import('esbuild')
  const client = { ...buildOptions(CLIENT), platform: 'browser', target: 'es2023', splitting: false } as const
  const [forPages, ...forNode] = await Promise.all([
    esbuild.build(client),
    ...BUNDLES.map(entries => esbuild.build(buildOptions(entries))),
  ])
  const outputs = [
    ...forPages.outputFiles.map(({ path, text }) => ({ name: basename(path), text })),
    ...forNode.flatMap(({ outputFiles }) =>
      outputFiles.map(({ path, text }) => ({ name: basename(path), text: askingForNode(text) })),
    ),
  ]
  const metafile = joined([forPages, ...forNode].map(bundle => bundle.metafile))
  const folder = `${DIST}.new-${process.pid}`
  mkdirSync(folder)
  try {
    const write = (name: string, contents: string) => {
      writeFileSync(join(folder, name), contents)
      // An edit made while we built must count as newer than what was built.
      utimesSync(join(folder, name), startedMs / 1000, startedMs / 1000)
    }
    for (const { name, text } of outputs) write(name, text)
    write('THIRD-PARTY-LICENSES.txt', licenceTexts(metafile))
    write('meta.json', JSON.stringify(metafile))
    swapIn(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const sizeKb = Math.round(outputs.reduce((sum, { text }) => sum + text.length, 0) / 1024)
  // To stderr, because what runs us may be asked for clean output.
  console.error(`built dist/: ${outputs.length} files, ${sizeKb} KB, ${Date.now() - startedMs} ms`)
}

if (!process.argv.includes('--if-stale') || isStale()) {
  await build().catch((error: unknown) => {
    // esbuild has shown its own errors already, with the lines they stand on.
    if (!(error instanceof Error && 'errors' in error)) throw error
    console.error('dist/ was not built; what stood there stands.')
    process.exitCode = 1
  })
}
