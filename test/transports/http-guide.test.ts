// docs/guides/http.md, its commands as they stand there, run by a shell with curl against a real gateway: only the address
// is another one.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import JSON5 from 'json5'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type GatewayProcess, Scope } from '../e2e/gateway-process.ts'

const GUIDE = readFileSync(new URL('../../docs/guides/http.md', import.meta.url), 'utf8')
const blocks = (language: string) =>
  [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)

const scope = new Scope()
let gateway: GatewayProcess
let home: string
beforeAll(async () => {
  home = scope.stateDir()
  const [endpoints = '', hooks = ''] = blocks('json5')
  const config = { ...JSON5.parse(endpoints), ...JSON5.parse(hooks) }
  const env = { SLUICE_HOOK_TOKEN: 'a-token-of-hooks-that-is-long' }
  mkdirSync(join(home, '.sluice'), { mode: 0o700 })
  gateway = await scope.gateway({ stateDir: join(home, '.sluice'), config, env })
})
afterAll(() => scope.end())

/** What the commands print, one JSON each. */
function shell(script: string): unknown[] {
  const env = { PATH: process.env.PATH ?? '', HOME: home }
  const there = script.replace('http://127.0.0.1:18789', gateway.url.replace(/^ws/, 'http'))
  const { status, stdout, stderr } = spawnSync(
    '/bin/sh',
    ['-ec', there.replace(/^curl .*(?:\n {2}.*)*/gm, '$&; echo')],
    {
      ...{ env, encoding: 'utf8', cwd: dirname(home) },
    },
  )
  if (status !== 0) throw new Error(`a shell with curl is needed: ${stderr}`)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

test('its commands do what it says, and one with a key does it once', () => {
  const [calls = '', chat = '', ...none] = blocks('sh')
  expect(none).toEqual([])
  const job = { name: 'water', payload: { kind: 'message', text: 'Water the plants' } }
  const [before, made] = shell(calls)
  expect(before).toMatchObject({ jobs: [] })
  expect(made).toMatchObject(job)
  expect(shell(calls)).toEqual([expect.objectContaining({ jobs: [expect.objectContaining(job)] }), made])
  const settings = calls.split('\n').slice(0, 2).join('\n')
  expect(shell(`${settings}\n${chat}`)).toMatchObject([
    {
      object: 'chat.completion',
      choices: [{ message: { role: 'assistant', content: expect.stringMatching(/^Hello/) } }],
    },
  ])
})
