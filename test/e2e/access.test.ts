// Attacks on a real gateway that must fail, and devices let in and shut out by the real CLI. A client elsewhere is one that
// comes through a proxy: the gateway takes no such one for this machine's own.
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PROBES_MAX } from '../../src/access/door.ts'
import type { ConnectParams } from '../../src/protocol/connect.ts'
import { UNPROVEN_BYTES_MAX } from '../../src/protocol/limits.ts'
import { UNPROVEN_OF_ADDRESS_MAX } from '../../src/transports/unproven.ts'
import { CLIENT, TestDevice } from '../access/test-device.ts'
import { within } from './bound.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { CONNECT, RawSocket } from './raw-socket.ts'

const scope = new Scope()
const perTest = new Scope()
const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }
let gateway: GatewayProcess

beforeAll(async () => {
  gateway = await scope.gateway()
})
afterEach(() => perTest.end())
afterAll(() => scope.end())

async function opened(headers: Record<string, string> = {}): Promise<{ socket: RawSocket; nonce: string }> {
  const socket = new RawSocket(gateway.url, { headers })
  perTest.onEnd(() => socket.terminate())
  const { payload } = await socket.challenged()
  return { socket, nonce: String(payload?.nonce) }
}

/** One that has said who it is with a device, or was refused. */
async function connected(device: TestDevice, more: Partial<ConnectParams>, headers: Record<string, string> = {}) {
  const { socket, nonce } = await opened(headers)
  const params = device.connect({ client: CLIENT, ...more }, { signedAt: Date.now(), nonce })
  return { socket, params, nonce, answer: await socket.ask('connect', params) }
}

const secret = () => ({ token: gateway.token })
const tokenOf = (answer: { payload?: unknown }) =>
  (answer.payload as { auth?: { deviceToken: string } }).auth?.deviceToken ?? ''

/** The status of an upgrade, and the words of its refusal. */
async function upgrade(headers: Record<string, string>, path = '/'): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const asked = request({ host: '127.0.0.1', port: gateway.port, path, headers: { ...UPGRADE, ...headers } })
  asked.on('error', reject)
  asked.on('upgrade', (_, socket) => {
    socket.destroy()
    resolve({ status: 101, body: '' })
  })
  asked.on('response', async response => {
    let body = ''
    for await (const chunk of response) body += chunk
    resolve({ status: response.statusCode ?? 0, body })
  })
  asked.end()
  return await within(promise, 'the answer to an upgrade')
}
const UPGRADE = {
  ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
}

describe('before any frame', () => {
  test('a page of elsewhere, a name of elsewhere and a token in a link are refused, with what to do', async () => {
    const host = `127.0.0.1:${gateway.port}`
    expect(await upgrade({ host })).toMatchObject({ status: 101 })
    expect(await upgrade({ host, origin: `http://${host}` })).toMatchObject({ status: 101 })
    for (const origin of [
      'https://evil.example',
      'null',
      'file://',
      `http://${host}.evil.example`,
      'http://127.0.0.1:1',
    ]) {
      expect(await upgrade({ host, origin }), origin).toMatchObject({ status: 403 })
    }
    const rebound = { host: `evil.example:${gateway.port}`, origin: `http://evil.example:${gateway.port}` }
    expect(await upgrade(rebound)).toMatchObject({ status: 403, body: expect.stringContaining('gateway.allowedHosts') })
    expect(await upgrade({ host }, `/?token=${gateway.token}`)).toMatchObject({
      status: 400,
      body: expect.stringContaining('Authorization: Bearer'),
    })
    const page = await fetch(`http://${host}/`, { headers: { origin: 'https://evil.example' } })
    expect(page.status).toBe(403)
  })

  test('whoever is refused and hangs up before it is told, by a reset, ends nothing but its own connection', async () => {
    const { connection, upgrade: protocol, ...rest } = UPGRADE
    const headers = Object.entries({ host: 'evil.example', connection, upgrade: protocol, ...rest })
    const asked = `GET / HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
    for (let n = 0; n < 50; n += 1) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const socket = connect(gateway.port, '127.0.0.1')
      socket.on('error', () => undefined).once('close', () => resolve())
      socket.write(asked, () => socket.resetAndDestroy())
      await within(promise, 'the end of a socket')
    }
    expect((await upgrade({ host: `127.0.0.1:${gateway.port}` })).status).toBe(101)
  })

  test('who was refused and stays is let go', async () => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true })
    perTest.onEnd(() => void socket.destroy())
    socket.write('GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n')
    const gone = Promise.withResolvers<void>()
    // Our half stays open: only where the gateway has closed both is what comes for it refused at last.
    const write = () => socket.write('more', error => (error ? gone.resolve() : setImmediate(write)))
    socket
      .on('error', () => undefined)
      .on('data', () => undefined)
      .once('end', write)
    await within(gone.promise, 'the end of the whole connection')
  })

  test('beyond this machine no page is shown without the secret', async () => {
    const get = async (path: string, headers: Record<string, string>) =>
      (await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers })).status
    for (const path of ['/', '/metrics', '/nothing']) {
      expect(await get(path, ELSEWHERE)).toBe(401)
      const shown = await get(path, { ...ELSEWHERE, authorization: `Bearer ${gateway.token}` })
      expect(shown).toBe(path === '/nothing' ? 404 : 200)
    }
  })
})

test('a probe of elsewhere hears that it lives and is ready, and no more, so often in a minute', async () => {
  const probe = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers: ELSEWHERE })
    return [response.status, await response.text()]
  }
  expect([await probe('/healthz'), await probe('/readyz')]).toEqual([
    [200, 'ok\n'],
    [200, 'ready\n'],
  ])
  for (let n = 2; n < PROBES_MAX; n += 1) await probe('/healthz')
  expect(await probe('/healthz')).toEqual([429, 'too often\n'])
  expect((await fetch(`http://127.0.0.1:${gateway.port}/healthz`)).status).toBe(200)
})

describe('a device', () => {
  test('elsewhere it waits for a person, who lets it in and shuts it out by the CLI; then it is cut off', async () => {
    const device = new TestDevice()
    const wish = { auth: secret(), scopes: ['operator.read'] }
    const first = await connected(device, wish, ELSEWHERE)
    expect(first.answer).toMatchObject({ ok: false, error: { code: 'NOT_PAIRED', message: 'pairing required' } })
    expect(await first.socket.closed).toEqual({ code: 1008, reason: 'pairing required' })
    const { requestId } = (first.answer.error?.details ?? {}) as { requestId: string }
    expect((await gateway.cli(['devices', 'list'])).stdout).toContain(requestId)
    const approved = await gateway.cli(['devices', 'approve', requestId.slice(0, 8)])
    expect(approved).toMatchObject({ code: 0, stdout: 'Let in: cli (linux), with operator.read\n' })
    const { answer } = await connected(device, wish, ELSEWHERE)
    const token = tokenOf(answer)
    expect(answer).toMatchObject({ ok: true, payload: { auth: { role: 'operator', scopes: ['operator.read'] } } })
    const held = await connected(device, { auth: { token }, scopes: ['operator.read'] }, ELSEWHERE)
    expect(await held.socket.ask('health')).toMatchObject({ ok: true })
    const revoked = await gateway.cli(['devices', 'revoke', device.id.slice(0, 12)])
    expect(revoked.stdout).toBe(`Shut out: ${device.id}. Its connections are closed.\n`)
    expect(await held.socket.closed).toEqual({ code: 1008, reason: 'device token revoked' })
    const again = await connected(device, { auth: { token }, scopes: ['operator.read'] }, ELSEWHERE)
    expect(again.answer.error?.message).toMatch(/^unauthorized: gateway token mismatch/)
  })

  test('it reaches nothing by scopes that it declares', async () => {
    const device = new TestDevice()
    expect((await connected(device, { auth: secret(), scopes: ['operator.read'] })).answer.ok).toBe(true)
    const wider = { auth: secret(), scopes: ['operator.admin'] }
    expect((await connected(device, wider, ELSEWHERE)).answer.error?.message).toBe('pairing required')
    const { socket, nonce } = await opened(ELSEWHERE)
    const signed = device.connect({ auth: secret(), scopes: ['operator.read'] }, { signedAt: Date.now(), nonce })
    const changed = { ...signed, scopes: ['operator.read', 'operator.admin'] }
    expect((await socket.ask('connect', changed)).error?.message).toBe('device signature invalid')
    const reader = await connected(device, { auth: secret(), scopes: ['operator.read'] }, ELSEWHERE)
    const { hash } = (await (await gateway.client()).call('config.get', {})) as { hash: string }
    const patch = { raw: '{ tools: { exec: { security: "full" } } }', baseHash: hash }
    for (const [method, params] of [
      ['config.patch', patch],
      ['config.get', {}],
      ['device.pair.list', {}],
      ['device.token.rotate', { deviceId: device.id, role: 'operator', scopes: ['operator.admin'] }],
    ] as const) {
      expect((await reader.socket.ask(method, params)).error?.message).toMatch(/^missing scope: operator\./)
    }
    expect(await (await gateway.client()).call('config.get', {})).toMatchObject({ hash })
  })

  test('who may let devices in can hand on no scope that is not his own', async () => {
    const [device, keeper] = [new TestDevice(), new TestDevice()]
    const { answer } = await connected(device, { auth: secret(), scopes: ['operator.admin'] }, ELSEWHERE)
    const { requestId } = (answer.error?.details ?? {}) as { requestId: string }
    const { socket } = await connected(keeper, { auth: secret(), scopes: ['operator.pairing'] })
    const asked = [
      ['device.pair.approve', { requestId }],
      ['device.token.rotate', { deviceId: keeper.id, role: 'operator', scopes: ['operator.admin'] }],
    ] as const
    for (const [method, params] of asked) {
      expect((await socket.ask(method, params)).error?.message).toBe('missing scope: operator.admin')
    }
    expect(await socket.ask('device.pair.reject', { requestId })).toMatchObject({ ok: true })
  })

  test('a signature is for one connection: shown again, or made for another nonce, it is nothing', async () => {
    const device = new TestDevice()
    const { params } = await connected(device, { auth: secret() })
    const replay = await opened()
    expect((await replay.socket.ask('connect', params)).error?.message).toBe('device nonce mismatch')
    const other = await opened()
    const own = { ...params, device: { ...params.device, nonce: other.nonce } }
    expect((await other.socket.ask('connect', own)).error?.message).toBe('device signature invalid')
    const bare = device.connect({ auth: secret() }, { signedAt: Date.now() })
    const elsewhere = await opened(ELSEWHERE)
    expect((await elsewhere.socket.ask('connect', bare)).error?.message).toBe('device nonce required')
  })

  test('refused by the CLI it is not let in, and its wish is gone', async () => {
    const device = new TestDevice()
    const wish = { auth: secret(), scopes: ['operator.read'] }
    const { answer } = await connected(device, wish, ELSEWHERE)
    const { requestId } = (answer.error?.details ?? {}) as { requestId: string }
    const rejected = await gateway.cli(['devices', 'reject', requestId.slice(0, 8)])
    expect(rejected).toMatchObject({ code: 0, stdout: `Refused: ${device.id}\n` })
    const listed = JSON.parse((await gateway.cli(['devices', 'list', '--json'])).stdout)
    expect(JSON.stringify(listed)).not.toContain(device.id)
    expect((await connected(device, wish, ELSEWHERE)).answer.error).toMatchObject({ code: 'NOT_PAIRED' })
    expect((await gateway.cli(['devices', 'reject', 'no-such'])).code).not.toBe(0)
  })

  test('another token closes the connections that used the old one; who asked hears it first', async () => {
    const device = new TestDevice()
    const bySecret = await connected(device, { auth: secret() })
    const token = tokenOf(bySecret.answer)
    const [one, other] = [await connected(device, { auth: { token } }), await connected(device, { auth: { token } })]
    const rotated = await one.socket.ask('device.token.rotate', { deviceId: device.id, role: 'operator' })
    expect(rotated).toMatchObject({ ok: true, payload: { deviceId: device.id, scopes: ['operator.admin'] } })
    for (const { socket } of [one, other]) {
      expect(await socket.closed).toEqual({ code: 1008, reason: 'device token rotated' })
    }
    expect(await bySecret.socket.ask('health')).toMatchObject({ ok: true })
    expect((await connected(device, { auth: { token } })).answer.ok).toBe(false)
    const fresh = String(rotated.payload?.token)
    expect((await connected(device, { auth: { token: fresh } })).answer.ok).toBe(true)
  })
})

describe('a spoofed proxy header', () => {
  test.each(['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'])(
    '%s of loopback does not make a client one of this machine',
    async header => {
      const { answer } = await connected(new TestDevice(), { auth: secret() }, { [header]: '127.0.0.1' })
      expect(answer.error?.message).toBe('pairing required')
    },
  )
})

test('wrong secrets from elsewhere are soon not looked at any more; this machine is not kept out', async () => {
  const wrong = async (headers: Record<string, string>) => {
    const { socket } = await opened(headers)
    return (await socket.ask('connect', { ...CONNECT, auth: { token: 'wrong' } })).error
  }
  const headers = { via: 'somebody' }
  const codes: (string | undefined)[] = []
  for (let n = 0; n < 12; n += 1) codes.push((await wrong(headers))?.message.slice(0, 20))
  expect(new Set(codes)).toEqual(new Set(['unauthorized: gatewa', 'too many failed atte']))
  expect((await wrong({}))?.message).toMatch(/^unauthorized/)
  expect(await (await gateway.client()).call('health', {})).toMatchObject({ ok: true })
})

describe('before the handshake', () => {
  const raw = (): Socket => {
    const socket = connect(gateway.port, '127.0.0.1')
    // It is ended by the gateway in the middle of what it says.
    socket.on('error', () => undefined)
    perTest.onEnd(() => void socket.destroy())
    return socket
  }
  const ended = (socket: Socket) => within(new Promise(resolve => socket.once('close', resolve)), 'the end of a socket')

  test('no frame may be large, whole or in pieces that never end', async () => {
    const whole = await opened()
    whole.socket.send('['.repeat(UNPROVEN_BYTES_MAX + 1))
    await whole.socket.closed
    const deep = await opened()
    deep.socket.send(`{"type":"req","id":"1","method":"connect","params":${'['.repeat(10_000)}${']'.repeat(10_000)}}`)
    expect(await deep.socket.closed).toMatchObject({ code: 1008 })
    const pieces = raw()
    const host = `127.0.0.1:${gateway.port}`
    const head = Object.entries({ host, ...UPGRADE }).map(([name, value]) => `${name}: ${value}`)
    pieces.write(`GET / HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`)
    const over = ended(pieces)
    await within(new Promise(resolve => pieces.once('data', resolve)), 'the upgrade')
    // The first 128 KB of a masked text frame of 400 KB.
    const frame = Buffer.alloc(131_072, 0x20)
    frame.set([0x81, 0xff, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0])
    pieces.write(frame)
    await over
  })

  test('silent sockets hold few places: the oldest lose theirs, and nobody else waits', async () => {
    const { call } = await gateway.client()
    const silent = Array.from({ length: 3 * UNPROVEN_OF_ADDRESS_MAX }, raw)
    const gone = silent.slice(0, 2 * UNPROVEN_OF_ADDRESS_MAX).map(ended)
    await Promise.all(gone)
    expect(await call('health', {})).toMatchObject({ ok: true })
    const later = await gateway.client()
    expect(await later.call('cron.list', {})).toMatchObject({ jobs: [] })
  })
})
