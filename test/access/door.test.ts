// Devices at the door: what they must sign, who lets them in, and that nothing they say of themselves gives them anything.
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Peer } from '../../src/access/device.ts'
import { DeviceTokens } from '../../src/access/device-token.ts'
import { Door, PAIRING_MS } from '../../src/access/door.ts'
import { FAILURES_MAX, WINDOW_MS } from '../../src/access/failures.ts'
import { nodeRandom } from '../../src/base/node/world.ts'
import type { ConnectParams } from '../../src/protocol/connect.ts'
import { SCOPES } from '../../src/protocol/method.ts'
import type { Store } from '../../src/store/port.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { DEVICES_MAX, PAIRINGS_MAX } from '../../src/store/sqlite/writes-devices.ts'
import { FakeClock } from '../fakes/clock.ts'
import { newFolder, removeFolder } from '../maintenance/stores.ts'
import { CLIENT, type Signing, TestDevice } from './test-device.ts'

const TOKEN = 'the-token-of-this-gateway'
const local: Peer = { address: '127.0.0.1', isLocal: true, nonce: 'this-nonce' }
const remote: Peer = { address: '10.0.0.9', isLocal: false, nonce: 'this-nonce' }

let folder: string
let store: Store
let clock: FakeClock
let door: Door<{ name: string }>
let device: TestDevice
let events: { event: string; payload: unknown }[]

beforeEach(async () => {
  folder = newFolder()
  store = await openSqliteStore({ folder, thread: false })
  events = []
  store.onEvents(all => events.push(...all))
  clock = new FakeClock()
  door = doorWith('k1')
  device = new TestDevice()
})
afterEach(async () => {
  await store.close()
  removeFolder(folder)
})

function doorWith(key: string) {
  return new Door<{ name: string }>({
    ...{ store, clock, random: nodeRandom },
    secrets: { token: TOKEN, password: undefined },
    tokens: new DeviceTokens(() => Buffer.from(key).toString('hex'), nodeRandom),
    turnOf: () => undefined,
    log: () => undefined,
  })
}

interface Entered {
  readonly refused?: string
  readonly details?: unknown
  readonly principal?: string
  readonly scopes: readonly string[]
  readonly token?: string | undefined
}

/** What is said of an attempt: its scopes, or why it was refused. */
async function enter(more: Partial<ConnectParams>, peer = remote, by = door): Promise<Entered> {
  const entry = await by.enter(device.connect(more, { signedAt: clock.now(), nonce: peer.nonce }), peer)
  if ('refused' in entry) return { refused: entry.refused.message, details: entry.refused.details, scopes: [] }
  if ('turn' in entry) throw new Error('no turn is here')
  return { ...entry.grant, scopes: [...entry.grant.scopes], token: entry.auth?.deviceToken, ...entry }
}

const auth = { token: TOKEN }

async function paired(scopes: string[] = ['operator.read']): Promise<string> {
  const { token } = await enter({ auth, scopes }, local)
  if (token === undefined) throw new Error('no token')
  return token
}

describe('who a device is', () => {
  const as = (signing: Signing, changed: object) => {
    const params = device.connect({ auth }, signing)
    return { ...params, device: { ...params.device, ...changed } } as ConnectParams
  }
  const signedAt = (ms: number) => (s: Signing) => device.connect({ auth }, { ...s, signedAt: s.signedAt + ms })
  const altered = (more: Partial<ConnectParams>, after: Partial<ConnectParams>) => (s: Signing) =>
    device.connect(more, { ...s, after })
  test.each<[string, (signing: Signing) => ConnectParams, string]>([
    ['an id of another', s => as(s, { id: new TestDevice().id }), 'device identity mismatch'],
    ['a key that is none', s => as(s, { publicKey: 'AAAA' }), 'device public key invalid'],
    ['another nonce', s => device.connect({ auth }, { ...s, nonce: 'other' }), 'device nonce mismatch'],
    ['no nonce', s => device.connect({ auth }, { ...s, nonce: undefined }), 'device nonce required'],
    ['a nonce that was not signed', s => as({ ...s, nonce: 'other' }, { nonce: s.nonce }), 'device signature invalid'],
    ['an old signature', signedAt(-600_001), 'device signature expired'],
    ['one of the future', signedAt(600_001), 'device signature expired'],
    ['other scopes than signed', altered({ auth }, { scopes: ['operator.admin'] }), 'device signature invalid'],
    ['another token than signed', altered({ auth: { token: 'other' } }, { auth }), 'device signature invalid'],
    [
      'another client than signed',
      altered({ auth }, { client: { ...CLIENT, id: 'test' } }),
      'device signature invalid',
    ],
  ])('%s is refused: nothing is written', async (_what, connect, message) => {
    const entry = await door.enter(connect({ signedAt: clock.now(), nonce: remote.nonce }), remote)
    expect(entry).toMatchObject({ refused: { message } })
    expect([store.read.devices(9), store.read.pairings({ nowMs: clock.now(), limit: 9 })]).toEqual([[], []])
  })

  test('the text that is signed is the family’s, field by field', async () => {
    const scopes = ['operator.admin', 'operator.approvals']
    const params = device.connect({ auth, scopes }, { signedAt: clock.now(), nonce: 'this-nonce' })
    const text = `v2|${device.id}|cli|cli|operator|operator.admin,operator.approvals|${clock.now()}|${TOKEN}|this-nonce`
    expect(params.device?.signature).toBe(device.signed(text))
    expect(await door.enter(params, local)).toHaveProperty('grant')
    const old = `v1|${device.id}|cli|cli|operator||${clock.now()}|${TOKEN}`
    const signature = device.signed(old)
    const first = device.connect({ auth }, { signedAt: clock.now() })
    expect(first.device?.signature).toBe(signature)
    expect(await door.enter(first, local)).toHaveProperty('grant')
  })

  test('a key may come as PEM, and is the same device', async () => {
    const params = device.connect({ auth }, { signedAt: clock.now(), nonce: 'this-nonce' })
    const pem = { ...params, device: { ...params.device, publicKey: device.pem } } as ConnectParams
    expect(await door.enter(pem, local)).toHaveProperty('grant')
    expect(store.read.device(device.id)?.publicKey).toBe(device.publicKey)
  })

  test('a signature without a nonce is taken once, in whatever spelling', async () => {
    const params = device.connect({ auth }, { signedAt: clock.now() })
    expect(await door.enter(params, local)).toHaveProperty('grant')
    for (const tail of ['', '=', '==']) {
      const again = { ...params, device: { ...params.device, signature: `${params.device?.signature}${tail}` } }
      expect(await door.enter(again as ConnectParams, local)).toMatchObject({
        refused: { message: 'device signature was used before: sign anew' },
      })
    }
  })
})

describe('who lets it in', () => {
  test('on this machine the secret does, without a question; and it has the same token each time', async () => {
    const first = await enter({ auth, scopes: ['operator.read', 'operator.write'] }, local)
    expect(first).toMatchObject({ principal: `device:${device.id}`, scopes: ['operator.read', 'operator.write'] })
    expect(first.token).toMatch(/^[0-9a-f]{32}$/)
    expect((await enter({ auth, scopes: ['operator.read'] }, local)).token).toBe(first.token)
    expect((await enter({ auth, scopes: ['operator.read'] }, remote)).token).toBe(first.token)
    expect(events.map(({ event }) => event)).toEqual(['device.pair.resolved'])
    expect(JSON.stringify(store.read.device(device.id))).not.toContain(first.token)
  })

  test('elsewhere a person does: until then it is told to wait, under one request', async () => {
    const first = await enter({ auth, scopes: ['operator.read'] })
    expect(first.refused).toBe('pairing required')
    expect(await enter({ auth, scopes: ['operator.read'] })).toEqual(first)
    const { requestId } = first.details as { requestId: string }
    expect(events).toMatchObject([{ event: 'device.pair.requested', payload: { requestId, deviceId: device.id } }])
    const seal = new DeviceTokens(() => Buffer.from('k1').toString('hex'), nodeRandom).seal()
    await store.write.approvePairing({ requestId, seal, nowMs: clock.now() })
    expect(await enter({ auth, scopes: ['operator.read'] })).toMatchObject({ scopes: ['operator.read'] })
    expect((await enter({ auth, scopes: ['operator.admin'] })).refused).toBe('pairing required')
  })

  test('a request that nobody answered is none after its time', async () => {
    const { details } = await enter({ auth })
    const { requestId } = details as { requestId: string }
    expect(store.read.pairing(requestId, clock.now() + PAIRING_MS - 1)).toBeDefined()
    expect(store.read.pairing(requestId, clock.now() + PAIRING_MS)).toBeUndefined()
    const late = { requestId, seal: { salt: 's', hash: 'h' }, nowMs: clock.now() + PAIRING_MS }
    await expect(store.write.approvePairing(late)).rejects.toThrow('unknown requestId')
  })

  test('without the secret nobody is even asked', async () => {
    for (const peer of [local, remote]) {
      for (const wrong of [undefined, { token: 'wrong' }]) {
        expect((await enter(wrong ? { auth: wrong } : {}, peer)).refused).toMatch(/^unauthorized: gateway token m/)
      }
    }
    expect([store.read.devices(9), events]).toEqual([[], []])
  })

  test('of those that wait, and of those let in, there are so many at most', async () => {
    const pairing = (n: number) => ({
      ...{ requestId: `r${n}`, deviceId: `d${n}`, publicKey: 'k', platform: 'p', clientId: 'cli', clientMode: 'cli' },
      ...{ role: 'operator', scopes: ['operator.read'], expiresAtMs: clock.now() + 1_000 },
    })
    const nowMs = clock.now()
    const waiting = Array.from({ length: PAIRINGS_MAX }, (_, n) =>
      store.write.requestPairing({ pairing: pairing(n), nowMs }),
    )
    await Promise.all(waiting)
    expect((await enter({ auth })).refused).toMatch(/100 devices wait to be let in already/)
    expect(await store.write.requestPairing({ pairing: pairing(0), nowMs })).toMatchObject({ repeated: true })
    const seal = { salt: 's', hash: 'h' }
    const all = Array.from({ length: DEVICES_MAX }, (_, n) =>
      store.write.pairDevice({ pairing: pairing(n), seal, nowMs }),
    )
    await Promise.all(all)
    expect((await enter({ auth }, local)).refused).toMatch(/1000 devices are paired/)
    await store.write.revokeDeviceToken({ deviceId: 'd5', role: 'operator', nowMs })
    expect(await enter({ auth }, local)).toHaveProperty('principal')
    expect(store.read.device('d5')).toBeUndefined()
  })
})

describe('what a device may do', () => {
  const scope = fc.constantFrom(...SCOPES, 'made.up', 'operator.*')
  test('whatever it declares, elsewhere it has nothing that it was not granted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(scope), fc.uniqueArray(scope), async (granted, declared) => {
        device = new TestDevice()
        await enter({ auth, scopes: granted }, local)
        const held = new Set(store.read.device(device.id)?.tokens[0]?.scopes)
        const entry = await enter({ auth, scopes: declared })
        if (entry.refused !== undefined) expect(entry.refused).toBe('pairing required')
        for (const one of entry.scopes) expect(held.has(one) || held.has('operator.admin')).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('its token lets it in as the secret does, for what it was granted and with its own key alone', async () => {
    const token = await paired(['operator.read', 'operator.write'])
    expect(await enter({ auth: { token }, scopes: ['operator.read'] })).toMatchObject({
      scopes: ['operator.read'],
      device: { presented: true },
      token,
    })
    const mismatch = 'unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)'
    expect((await enter({ auth: { token }, scopes: ['operator.admin'] })).refused).toBe(mismatch)
    device = new TestDevice()
    expect((await enter({ auth: { token }, scopes: ['operator.read'] })).refused).toBe(mismatch)
    const bare = { minProtocol: 3, maxProtocol: 3, client: CLIENT, auth: { token } }
    expect(await door.enter(bare, local)).toMatchObject({ refused: { message: mismatch } })
  })

  test('more scopes on this machine are granted at once, with another token', async () => {
    const token = await paired()
    const wider = await enter({ auth, scopes: ['operator.admin'] }, local)
    expect(wider).toMatchObject({ scopes: ['operator.admin'], auth: { scopes: ['operator.admin', 'operator.read'] } })
    expect(wider.token).not.toBe(token)
    expect((await enter({ auth: { token }, scopes: ['operator.read'] })).refused).toMatch(/token mismatch/)
  })

  test('a revoked token is none, and its device must be let in anew', async () => {
    const token = await paired()
    await store.write.revokeDeviceToken({ deviceId: device.id, role: 'operator', nowMs: clock.now() })
    expect((await enter({ auth: { token }, scopes: ['operator.read'] })).refused).toMatch(/token mismatch/)
    expect((await enter({ auth, scopes: ['operator.read'] })).refused).toBe('pairing required')
    expect((await enter({ auth, scopes: ['operator.read'] }, local)).token).not.toBe(token)
  })

  test('with another device key, as after a restored backup, the old token still lets it in', async () => {
    const token = await paired()
    const other = doorWith('k2')
    expect(await enter({ auth: { token }, scopes: ['operator.read'] }, remote, other)).toMatchObject({ token })
    const bySecret = await enter({ auth, scopes: ['operator.read'] }, remote, other)
    expect(bySecret).toMatchObject({ scopes: ['operator.read'], token: undefined })
  })
})

describe('who keeps presenting what is wrong', () => {
  test('waits, alone, and only elsewhere than on this machine', async () => {
    const wrong = (peer: Peer) => enter({ auth: { token: 'wrong' } }, peer)
    for (let n = 0; n < FAILURES_MAX; n += 1) expect((await wrong(remote)).refused).toMatch(/token mismatch/)
    expect((await enter({ auth }, remote)).refused).toMatch(
      /^too many failed attempts from this address; try again in 60 s/,
    )
    expect((await enter({ auth }, { ...remote, address: '10.0.0.10' })).refused).toBe('pairing required')
    expect(door.admits(`Bearer ${TOKEN}`, remote)).toBe(false)
    for (let n = 0; n < 2 * FAILURES_MAX; n += 1) await wrong(local)
    expect(await enter({ auth }, local)).toHaveProperty('principal')
    await clock.advance(WINDOW_MS)
    expect(await enter({ auth }, remote)).toHaveProperty('principal')
  })

  test('over HTTP too', () => {
    for (let n = 0; n < FAILURES_MAX; n += 1) expect(door.admits('Bearer wrong', remote)).toBe(false)
    expect(door.admits(`Bearer ${TOKEN}`, remote)).toBe(false)
    expect(door.admits(`Bearer ${TOKEN}`, local)).toBe(true)
  })
})
