// `/metrics` of a real gateway over HTTP: who is let in, what is answered while 50 calls are blocked, and the commands of
// docs/guides/metrics.md as they stand there.
import { spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BOUND_MS, within } from '../e2e/bound.ts'
import { type GatewayProcess, Scope } from '../e2e/gateway-process.ts'
import { Gate, type ScriptedModel, startScriptedModel } from '../e2e/scripted-model.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const GUIDE = readFileSync(join(ROOT, 'docs/guides/metrics.md'), 'utf8')
const COMMANDS = [...GUIDE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
  (block ?? '').trim().split('\n'),
)
/** The gateway's port in the guide. */
const PORT = '18789'
/** Where a machine has no curl: a fetch with the same header, and curl's exit code for a refusal. */
const CURL = `command -v curl >/dev/null || curl() { "${process.execPath}" -e '
  const at = process.argv.indexOf("-H")
  const headers = at < 0 ? [] : [process.argv[at + 1].split(": ")]
  fetch(process.argv.at(-1), { headers }).then(async answer => {
    process.exitCode = answer.ok ? 0 : 22
    if (answer.ok) process.stdout.write(await answer.text())
  })' -- "$@"; }
`

const scope = new Scope()
let gateway: GatewayProcess
let model: ScriptedModel

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  gateway = await scope.gateway({ config: model.config({ maxConcurrent: 1 }) })
})
afterAll(() => scope.end())

function get(path: string, authorization?: string, method = 'GET'): Promise<Response> {
  const headers = authorization === undefined ? {} : { authorization }
  return within(fetch(`${gateway.url.replace('ws:', 'http:')}${path}`, { method, headers }), path)
}
const read = () => get('/metrics', `Bearer ${gateway.token}`)

describe('who is let in', () => {
  test('the holder of the token, with the type that scrapers ask for', async () => {
    const response = await read()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await response.text()).toMatch(
      /^# HELP sluice_info .*\n# TYPE sluice_info gauge\nsluice_info\{version=".+"\} 1\n/,
    )
    expect((await get('/metrics', `bearer  ${gateway.token}`)).status).toBe(200)
  })

  test('nobody else: the answer says what to send, and no figure and no token', async () => {
    const { token } = gateway
    const presented = [undefined, '', 'Bearer', 'Bearer x', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, token]
    for (const authorization of [...presented, `Basic ${token}`, `Bearer x ${token}`, `x Bearer ${token}`]) {
      const response = await get('/metrics', authorization)
      const body = await response.text()
      expect([authorization, response.status, response.headers.get('www-authenticate')]).toEqual([
        ...[authorization, 401, 'Bearer'],
      ])
      expect(body).toContain('Authorization: Bearer <token>')
      expect(body).not.toMatch(/sluice_/)
      expect(body).not.toContain(token)
    }
    expect((await get(`/metrics?token=${token}`)).status).toBe(400)
    expect((await get('/metrics', `Bearer ${token}`, 'POST')).status).toBe(405)
    expect((await get('/healthz')).status).toBe(200)
  })
})

test('W3, W7: a scrape is answered while 50 calls and the only slot are blocked, and shows the turn that blocks', async () => {
  const { client, call } = await gateway.client()
  const gate = new Gate()
  model.script('agent:main:held', gate.hold({ text: 'held' }))
  await call('chat.send', { sessionKey: 'held', message: 'hi', idempotencyKey: 'held' })
  await within(gate.reached, 'the model to be asked')
  const blocked = Array.from({ length: 50 }, () => call('agent.wait', { runId: 'held', timeoutMs: BOUND_MS }))
  // Answered on the same connection, so all that was sent before has begun.
  await call('health', {})
  const figures = await (await read()).text()
  expect(figures).toContain('\nsluice_runs{state="running"} 1\n')
  expect(figures).toContain('\nsluice_slots_taken{pool="turns"} 1\n')
  expect(figures).toContain('\nsluice_connections 1\n')
  expect(figures).not.toContain('method="agent.wait"')
  gate.open()
  expect(await Promise.all(blocked)).toEqual(Array(50).fill(expect.objectContaining({ status: 'ok' })))
  expect(await (await read()).text()).toContain('\nsluice_method_work_seconds_count{method="agent.wait"} 50\n')
  client.close()
})

test('every command of docs/guides/metrics.md does what it says', () => {
  const home = scope.stateDir()
  symlinkSync(gateway.stateDir, join(home, '.sluice'))
  const env = { PATH: process.env.PATH, HOME: home, SLUICE_GATEWAY_PORT: String(gateway.port) }
  expect(COMMANDS).toHaveLength(5)
  for (const command of COMMANDS) {
    const asked = command.replaceAll(PORT, String(gateway.port))
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', CURL + asked], { cwd: ROOT, env, encoding: 'utf8' })
    expect(status, `${command}\n${stderr}`).toBe(0)
    expect(stdout, command).not.toBe('')
    if (command.endsWith('/metrics')) expect(stdout).toContain('\nsluice_uptime_seconds ')
    if (command.endsWith('--json')) expect(JSON.parse(stdout)).toHaveProperty('pools')
  }
})
