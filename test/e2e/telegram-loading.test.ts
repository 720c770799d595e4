// Memory and start: a gateway without a channel does not load the library that speaks to Telegram. Node itself says which
// files of the bundle a real gateway loads; the bundler, which of them has the library in it.
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { BotApi } from '../fakes/telegram/bot-api.ts'
import { Scope } from './gateway-process.ts'

const scope = new Scope()
afterAll(() => scope.end())

const TELL = `import { registerHooks } from 'node:module'
registerHooks({ load(url, context, next) { process.stderr.write('loaded ' + url + '\\n'); return next(url, context) } })`

interface Bundle {
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>
}

function chunksOf(library: string): string[] {
  const { outputs }: Bundle = JSON.parse(readFileSync(new URL('../../dist/meta.json', import.meta.url), 'utf8'))
  const has = (inputs: object) => Object.keys(inputs).some(path => path.includes(`node_modules/${library}/`))
  return Object.entries(outputs).flatMap(([path, { inputs }]) => (has(inputs) ? [path.replace('dist/', '')] : []))
}

test('the library is loaded where a channel uses it, and nowhere else', async () => {
  const api = new BotApi()
  await api.up()
  scope.onEnd(() => api.down())
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(TELL)}` }
  const telegram = { botToken: api.token, apiRoot: api.apiRoot }
  const loaded = async (config: object) => {
    const { output } = await scope.gateway({ config, env })
    const urls = [...output.matchAll(/^loaded \S+\/dist\/(\S+)$/gm)].map(([, name = '']) => name)
    expect(urls).toContain('main.js')
    return urls
  }
  const chunks = chunksOf('grammy')
  expect(chunks).not.toEqual([])
  expect((await loaded({})).filter(name => chunks.includes(name))).toEqual([])
  expect((await loaded({ channels: { telegram } })).filter(name => chunks.includes(name))).toEqual(chunks)
})
