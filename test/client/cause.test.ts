// W1: a process that a turn started says so to the gateway of that turn, and to no other. The gateway here is a fake one
// that remembers what it was told; the command line is the real one, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import { connectGateway } from '../../src/client/client.ts'
import { type FakeGateway, fakeGateway } from '../cli/fake-gateway.ts'
import { within } from '../e2e/bound.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/sluice', import.meta.url))
const own = { client: { id: 'cli', mode: 'cli' }, clock: nodeClock } as const

let gateway: FakeGateway
let home: string
let child: ChildProcess | undefined
beforeEach(async () => {
  gateway = await fakeGateway()
  home = mkdtempSync(join(tmpdir(), 'sluice-cause-'))
  writeFileSync(join(home, 'token'), 'own-token\n')
})
afterEach(async () => {
  child?.kill('SIGKILL')
  await gateway.close()
  rmSync(home, { recursive: true, force: true })
})

describe('the client', () => {
  test.each([{ cause: 'c.mac' }, { cause: 'c.mac', token: 't' }, { token: 't' }])(
    'shows what it has: %j',
    async auth => {
      const client = await connectGateway({ ...own, url: gateway.url, ...auth })
      expect(gateway.connects[0]?.params.auth).toEqual(auth)
      client.close()
    },
  )

  test('a refused cause is told in the words of the gateway, without advice about tokens', async () => {
    await gateway.close()
    gateway = await fakeGateway({ token: 'other' })
    await expect(connectGateway({ ...own, url: gateway.url, cause: 'c.mac' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'unauthorized: gateway token mismatch (provide gateway auth token).',
    })
  })
})

describe('the command line', () => {
  async function cronList(args: readonly string[], env: Record<string, string>): Promise<unknown> {
    gateway.answers('cron.list', { jobs: [], total: 0 })
    const { PATH = '' } = process.env
    const port = String(gateway.port)
    child = spawn(LAUNCHER, ['cron', 'list', ...args], {
      env: { PATH, HOME: home, SLUICE_STATE_DIR: home, SLUICE_GATEWAY_PORT: port, ...env },
      stdio: 'ignore',
    })
    const [code] = await within(once(child, 'exit'), 'the end of the command')
    expect(code).toBe(0)
    return gateway.connects[0]?.params.auth
  }
  const cause = { SLUICE_CAUSE: 'c.mac' }

  test('shows its cause to the gateway of this machine, found by itself or named by a loopback address', async () => {
    expect(await cronList([], cause)).toEqual({ cause: 'c.mac' })
    gateway.connects.length = 0
    expect(await cronList(['--url', gateway.url], cause)).toEqual({ cause: 'c.mac' })
  })

  test('without a cause it holds the token', async () => {
    expect(await cronList([], { SLUICE_CAUSE: '' })).toEqual({ token: 'own-token' })
  })

  test('a gateway that was named with a token of its own is another one, and hears of no cause', async () => {
    expect(await cronList(['--url', gateway.url, '--token', 'theirs'], cause)).toEqual({ token: 'theirs' })
    gateway.connects.length = 0
    expect(await cronList(['--url', gateway.url], { ...cause, SLUICE_GATEWAY_TOKEN: 'theirs' })).toEqual({
      token: 'theirs',
    })
  })

  test('a gateway on another machine hears of no cause', async () => {
    // A name that is not loopback by its looks, and still leads to the fake one.
    const named = gateway.url.replace('127.0.0.1', '0.0.0.0')
    expect(await cronList(['--url', named], cause)).toBeUndefined()
  })
})
