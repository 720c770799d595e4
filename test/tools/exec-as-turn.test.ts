// W1: what a turn's command asks of its gateway is that turn's own: the whole way, from a real gateway by a real process
// and the real command line back into the gateway, with room for one turn.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { type GatewayProcess, Scope, type TestClient } from '../e2e/gateway-process.ts'
import { call, resultOf, type ScriptedModel, startScriptedModel } from '../e2e/scripted-model.ts'

const scope = new Scope()
let model: ScriptedModel
let gateway: GatewayProcess
let client: TestClient

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  const stateDir = scope.stateDir()
  const exec = { security: 'allowlist', ask: 'off', allow: ['sluice', 'node'], workdir: stateDir }
  const config = { ...model.config({ maxConcurrent: 1 }), tools: { exec } }
  gateway = await scope.gateway({ stateDir, config, env: { NO_COLOR: '1' } })
  client = await gateway.client()
})
afterAll(() => scope.end())

/** What a turn of the session is answered by the command. */
async function ran(sessionKey: string, command: string | string[]): Promise<Record<string, unknown>> {
  model.script(sessionKey, call('exec', { command, timeout: 60 }), ask => ({ text: JSON.stringify(resultOf(ask, 0)) }))
  const params = { message: sessionKey, sessionKey, idempotencyKey: `${sessionKey} ${command}` }
  const { runId } = await client.call('agent', params)
  await client.call('agent.wait', { runId, timeoutMs: 60_000 })
  const { messages } = await client.call('chat.history', { sessionKey })
  return JSON.parse(messages.at(-1)?.content[0]?.text ?? '{}')
}

test('W1: a job that a command adds is the job of that turn, and made once', async () => {
  const key = 'agent:main:adds'
  const add = "sluice cron add --name 'by command' --schedule '0 */6 * * *' --message hello --json"
  expect(await ran(key, add)).toMatchObject({ exitCode: 0 })
  const { jobs } = await client.call('cron.list', {})
  expect(jobs).toMatchObject([{ name: 'by command', madeBy: { kind: 'agent', sessionKey: key } }])
})

test('W4: a command that waits for the very turn that runs it is refused at once, with the cycle', async () => {
  const key = 'agent:main:self'
  const result = await ran(key, `sluice agent --session ${key} --message again --timeout 50`)
  expect(result).toMatchObject({
    exitCode: expect.any(Number),
    output: expect.stringContaining('This would wait for itself: the turn of agent:main:self'),
  })
  expect(result.exitCode).not.toBe(0)
})

test('W5: a command that waits for another session gives that one room, where there is room for one turn', async () => {
  model.script('agent:main:other', { text: 'said by the other' })
  const result = await ran('agent:main:asks', 'sluice agent --session agent:main:other --message hi --timeout 50')
  expect(result).toMatchObject({ exitCode: 0, output: 'said by the other\n' })
})

test('W1: a cause that is kept is nobody once its call has ended', async () => {
  const { output } = await ran('agent:main:leaks', ['node', '-p', 'process.env.SLUICE_CAUSE'])
  const cause = String(output).trim()
  expect(cause).toMatch(/^[\w-]+\.[\w-]+$/)
  const late = await gateway.cli(['cron', 'list'], { env: { SLUICE_CAUSE: cause } })
  expect(late.code).not.toBe(0)
  expect(late.stderr).toContain('must unset SLUICE_CAUSE')
})

test('a stop of the gateway leaves no process behind', async () => {
  const arrived = Promise.withResolvers<Socket>()
  const server = createServer(socket => arrived.resolve(socket.on('error', () => undefined)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.onEnd(() => void server.close())
  const { port } = server.address() as AddressInfo
  const key = 'agent:main:stays'
  model.script(key, call('exec', { command: ['node', '-e', `require('net').connect(${port}, '127.0.0.1')`] }))
  await client.call('agent', { message: 'x', sessionKey: key, idempotencyKey: key })
  const socket = await within(arrived.promise, 'the process')
  const gone = new Promise<void>(resolve => socket.once('close', () => resolve()))
  await gateway.stop()
  await within(gone, 'the end of the process')
})
