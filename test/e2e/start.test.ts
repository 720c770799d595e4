// What a start loads, and in which order: the gateway is ready when its writer's thread is, so that thread begins before
// anything else is loaded; and Node's `fetch`, which costs a start 25 ms and 3 MB, is not loaded before something fetches.
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { Scope } from './gateway-process.ts'

const scope = new Scope()
afterAll(() => scope.end())

/** Says each file that is loaded and each thread that is made, in order, and at the end whether `fetch` was loaded. */
const TELL = `import { registerHooks } from 'node:module'
const threads = process.getBuiltinModule('node:worker_threads')
const say = text => threads.isMainThread && process.stderr.write(text + '\\n')
registerHooks({ load(url, context, next) { say('loaded ' + url.replace(/.*\\/dist\\//, '')); return next(url, context) } })
threads.Worker = class extends threads.Worker { constructor(url, options) { say('thread ' + options.name); super(url, options) } }
process.on('exit', () => say('fetch ' + process.moduleLoadList.includes('NativeModule internal/deps/undici/undici')))`

interface Chunk {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly imports: readonly { readonly path: string; readonly kind: string }[]
}

const { outputs }: { readonly outputs: Readonly<Record<string, Chunk>> } = JSON.parse(
  readFileSync(new URL('../../dist/meta.json', import.meta.url), 'utf8'),
)

/** All source files that a file of the bundle has in it or imports. */
function loadedBy(path: string): string[] {
  const seen = new Set([path])
  for (const chunk of seen) {
    for (const { path, kind } of outputs[chunk]?.imports ?? []) if (kind === 'import-statement') seen.add(path)
  }
  return [...seen].flatMap(chunk => Object.keys(outputs[chunk]?.inputs ?? {}))
}

test('no thread of the store loads schemas: each would hold them a second time, at 5 MB', () => {
  for (const thread of ['writer', 'reader', 'integrity-thread']) {
    const files = loadedBy(`dist/${thread}.js`)
    expect(files).toContain(`src/store/sqlite/${thread}.ts`)
    expect(files.filter(path => path.includes('node_modules/zod/'))).toEqual([])
  }
})

test('the writer’s thread begins before the gateway is loaded, and no start loads what fetches', async () => {
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(TELL)}` }
  const { stderr } = await (await scope.gateway({ env })).stop()
  const said = stderr.split('\n')
  const [chunk = ''] = Object.entries(outputs).find(([, { inputs }]) => 'src/gateway.ts' in inputs) ?? []
  const gateway = said.indexOf(`loaded ${chunk.replace('dist/', '')}`)
  expect(gateway).toBeGreaterThan(0)
  expect(said.filter(line => line.startsWith('thread '))).toEqual(['thread store-writer'])
  expect(said.indexOf('thread store-writer')).toBeLessThan(gateway)
  expect(said).toContain('fetch false')
})
