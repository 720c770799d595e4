// Where a real gateway listens, and that the CLI of its own machine finds it there: on the one address of a tailnet, on
// all, over TLS. What cannot be honoured stops the start.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { within } from './bound.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { networkNamespace, whyNoNamespace } from './network-namespace.ts'

const TAILNET = '100.64.7.9'
const scope = new Scope()
afterEach(() => scope.end())

const why = whyNoNamespace()
if (why !== undefined) process.stderr.write(`skipped: the gateway in a network of its own: ${why}\n`)

/** The CLI as a person would run it: it is told no port. */
const cli = (gateway: GatewayProcess, ...args: string[]) => gateway.cli(args, { env: { SLUICE_GATEWAY_PORT: '' } })

/** Tools in a turn, jobs and the CLI. */
async function works(gateway: GatewayProcess): Promise<void> {
  const turn = await cli(gateway, 'agent', '--message', 'remind me in 20 minutes to stretch')
  expect(turn).toMatchObject({ code: 0 })
  const added = await cli(gateway, 'cron', 'add', '--name', 'other', '--every', '1h', '--text', 'hello')
  expect(added).toMatchObject({ code: 0 })
  const listed = await cli(gateway, 'cron', 'list', '--json')
  expect(JSON.parse(listed.stdout).jobs).toMatchObject([
    { name: expect.stringContaining('stretch') },
    { name: 'other' },
  ])
  expect((await cli(gateway, 'status')).code).toBe(0)
}

// skipped where nobody may make a network; the reason was printed.
describe.skipIf(why !== undefined)('in a network of its own', () => {
  test('tailnet: it listens on that one address alone, and tools, jobs and CLI work', async () => {
    const under = networkNamespace(scope, 'tail', TAILNET)
    const gateway = await scope.gateway({ config: { gateway: { bind: 'tailnet' } }, under })
    expect(gateway.url).toBe(`ws://${TAILNET}:${gateway.port}`)
    expect(gateway.output).toContain('Your tailnet can reach it; nobody is served without the token or password.')
    await works(gateway)
    const reach = (host: string) => {
      const script = `require('net').connect(${gateway.port}, '${host}').on('connect', () => process.exit(0)).on('error', () => process.exit(7))`
      return spawnSync(under[0] as string, [...under.slice(1), process.execPath, '-e', script]).status
    }
    expect([reach(TAILNET), reach('127.0.0.1')]).toEqual([0, 7])
  })

  test('tailnet without such an address: it refuses to start, and says what to do', async () => {
    const under = networkNamespace(scope, 'none')
    const ended = await scope.refusedStart({ config: { gateway: { bind: 'tailnet' } }, under })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/no address in 100\.64\.0\.0\/10\. Connect it \(tailscale up\), or set gateway\.bind/)
  })

  test.each(['lan', TAILNET])('%s: the CLI finds it', async bind => {
    const under = networkNamespace(scope, 'lan', TAILNET)
    const gateway = await scope.gateway({ config: { gateway: { bind } }, under })
    expect((await cli(gateway, 'cron', 'list')).stdout).toBe('No cron jobs.\n')
  })
})

test('an address that this machine has not stops the start', async () => {
  // 192.0.2.0/24 is for documentation; no machine has it.
  const ended = await scope.refusedStart({ config: { gateway: { bind: '192.0.2.1' } } })
  expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('This machine has no address 192.0.2.1') })
})

describe('over TLS', () => {
  function certificate(): { certPath: string; keyPath: string } {
    const folder = scope.stateDir()
    const [certPath, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const ended = spawnSync('openssl', [...made, '-subj', '/CN=box', '-keyout', keyPath, '-out', certPath])
    if (ended.status !== 0) throw new Error(`openssl is needed: ${ended.stderr}`)
    return { certPath, keyPath }
  }
  const withTls = (tls: object) => ({ gateway: { tls: { enabled: true, ...tls } } })

  test('the CLI takes just the certificate of its own gateway', async () => {
    const gateway = await scope.gateway({ config: withTls(certificate()) })
    expect(gateway.url).toMatch(/^wss:/)
    await works(gateway)
    const recordPath = join(gateway.stateDir, 'gateway.json')
    const record = JSON.parse(readFileSync(recordPath, 'utf8'))
    writeFileSync(recordPath, JSON.stringify({ ...record, fingerprint: 'ab'.repeat(32) }))
    expect(await cli(gateway, 'health')).toMatchObject({ code: 1 })
    writeFileSync(recordPath, JSON.stringify({ url: record.url }))
    expect(await cli(gateway, 'health')).toMatchObject({ code: 1 })
  })

  test('nothing is served in the clear', async () => {
    const gateway = await scope.gateway({ config: withTls(certificate()) })
    await expect(fetch(`http://127.0.0.1:${gateway.port}/healthz`)).rejects.toThrow()
    const socket = new WebSocket(gateway.url, { rejectUnauthorized: false })
    scope.onEnd(() => socket.terminate())
    const { promise, resolve } = Promise.withResolvers<string>()
    socket.on('message', data => resolve(data.toString()))
    expect(await within(promise, 'the challenge')).toContain('connect.challenge')
  })

  test('files that do not fit stop the start', async () => {
    const [one, other] = [certificate(), certificate()]
    const mixed = await scope.refusedStart({ config: withTls({ ...one, keyPath: other.keyPath }) })
    expect(mixed.stderr).toContain('gateway.tls cannot be used: the key is not the one of the certificate')
    const missing = await scope.refusedStart({ config: withTls({ ...one, certPath: '/nowhere/cert.pem' }) })
    expect(missing.stderr).toContain('gateway.tls.certPath is /nowhere/cert.pem, and there is no such file')
  })
})

test('a password lets in, and the CLI of the machine finds it', async () => {
  const password = 'correct horse battery'
  const gateway = await scope.gateway({ config: { gateway: { auth: { mode: 'password', password } } } })
  expect((await cli(gateway, 'health')).code).toBe(0)
  const get = (authorization: string) =>
    fetch(`http://127.0.0.1:${gateway.port}/metrics`, { headers: { authorization } })
  expect((await get(`Bearer ${password}`)).status).toBe(200)
  expect((await get('Bearer correct horse')).status).toBe(401)
})
