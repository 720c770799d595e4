// docs/guides/client.md shows a program that runs: here it is, against a real gateway, over HTTP and a WebSocket.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { Scope } from '../e2e/gateway-process.ts'

const PATH = fileURLToPath(new URL('example.ts', import.meta.url))
const scope = new Scope()
afterAll(() => scope.end())

test('the guide shows the program as it is', () => {
  const guide = readFileSync(new URL('../../docs/guides/client.md', import.meta.url), 'utf8')
  const [, shown = ''] = /```ts\n([\s\S]*?)```/.exec(guide) ?? []
  expect(shown.length).toBeGreaterThan(0)
  expect(readFileSync(PATH, 'utf8').replace(/^\/\/.*\n/, '')).toBe(shown)
})

test.each(['http', 'ws'])('it does what it says over %s', async scheme => {
  const gateway = await scope.gateway()
  const env = { SLUICE_URL: gateway.url.replace(/^ws/, scheme), SLUICE_TOKEN: gateway.token }
  const { stdout } = await within(promisify(execFile)(process.execPath, [PATH], { env }), 'the example')
  expect(stdout).toMatch(/^Session: sessionKey agent:main:main, model sluice\/offline/)
})
