// The doctor: each thing that is wrong has its code and is found alone; what can be mended is mended, and looked at again.
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, test } from 'vitest'
import type { GatewayClient } from '../../src/client/client.ts'
import { locate } from '../../src/config/locate.ts'
import { type DoctorParts, examine } from '../../src/maintenance/doctor.ts'
import { configPlace } from '../../src/maintenance/own-config.ts'
import { run, testShell } from '../cli/test-shell.ts'
import { freePort } from '../e2e/free-port.ts'
import { Scope } from '../e2e/gateway-process.ts'

const scope = new Scope()
afterEach(() => scope.end())

const NOW = 1_800_000_000_000
const places = locate({}, '/nowhere')
const DATABASE = `${places.stateDir}/sluice.db`
const WELL = `{
  models: { providers: { p: { baseUrl: 'http://127.0.0.1:1/v1' } } },
  agents: { defaults: { model: 'p/m', userTimezone: 'Europe/Berlin' } },
}`

/** A machine on which all is well, but for what a test changes. */
function machine(config = WELL) {
  const modes = new Map<string, number>([
    [places.stateDir, 0o700],
    [places.tokenPath, 0o600],
    [DATABASE, 0o600],
  ])
  const state = {
    ...{ config, modes, names: ['sluice.db', 'token'], free: 2 ** 33, portFree: true, now: NOW, node: 'v24.21.0' },
    store: { file: DATABASE, fault: undefined as string | undefined, lastInstantMs: NOW },
    /** Whether a mode can be changed. */
    mayChange: true,
  }
  const files = {
    readText: () => state.config,
    writePrivateText: () => undefined,
    ensurePrivateFolder: () => undefined,
  }
  const around = { places, files, env: {}, systemZone: 'UTC', judge: () => undefined }
  const parts = (): DoctorParts => ({
    places,
    config: configPlace(around, places.configPath),
    disk: {
      modeOf: path => modes.get(path),
      setMode: (path, mode) => {
        if (state.mayChange) modes.set(path, mode)
      },
      list: () => state.names,
      remove: path => {
        state.names = state.names.filter(name => !path.endsWith(`/${name}`))
      },
      freeBytes: () => state.free,
      isPortFree: async () => state.portFree,
    },
    clock: { now: () => state.now },
    nodeVersion: state.node,
    host: '127.0.0.1',
    inspect: () => state.store,
  })
  const look = (fix = false, isRunning = false) => examine(parts(), { isRunning, fix })
  return { state, look, parts }
}
type Machine = ReturnType<typeof machine>['state']

const WRONG: readonly (readonly [string, (state: Machine) => unknown])[] = [
  ['NODE_OLD', state => (state.node = 'v22.1.0')],
  ['CLOCK_WRONG', state => Object.assign(state, { now: 1, store: { ...state.store, lastInstantMs: undefined } })],
  ['CLOCK_BEHIND', state => (state.store.lastInstantMs = NOW + 120_000)],
  ['DISK_FULL', state => (state.free = 2 ** 20)],
  ['CONFIG_WRONG', state => (state.config = '{ cron: { enabled: 1 } }')],
  ['CONFIG_UNUSED', state => (state.config = WELL.replace('{', '{ gatway: 1,'))],
  ['NO_MODEL', state => (state.config = WELL.replace("model: 'p/m',", ''))],
  ['NO_ZONE', state => (state.config = WELL.replace(", userTimezone: 'Europe/Berlin'", ''))],
  ['FOLDER_OPEN', state => state.modes.set(places.stateDir, 0o755)],
  ['TOKEN_OPEN', state => state.modes.set(places.tokenPath, 0o644)],
  ['FILE_OPEN', state => state.modes.set(DATABASE, 0o640)],
  ['LEFTOVER', state => state.names.push('sluice.json.77.new')],
  ['STORE_DAMAGED', state => (state.store.fault = 'page 3 is not there')],
  ['PORT_TAKEN', state => (state.portFree = false)],
]
const MENDED = ['FOLDER_OPEN', 'TOKEN_OPEN', 'FILE_OPEN', 'LEFTOVER']

describe('what is wrong', () => {
  test('nothing is, where nothing is', async () => {
    const { state, look } = machine()
    expect(await look()).toEqual([])
    state.config = WELL
    expect(await look(true)).toEqual([])
    // Whose model is found by its provider's list.
    state.config = WELL.replace("model: 'p/m',", '').replace('baseUrl', "apiKey: 'k', baseUrl")
    expect(await look()).toEqual([])
  })

  test.each(WRONG)('%s is found alone, and mended where it can be', async (code, change) => {
    const { state, look } = machine()
    change(state)
    const found = await look()
    expect(found.map(finding => finding.code)).toEqual([code])
    expect(found[0]).toMatchObject({ message: expect.stringMatching(/\S/), advice: expect.stringMatching(/\S/) })
    const canBe = MENDED.includes(code)
    expect(found[0]?.fix).toBe(canBe ? 'possible' : 'none')
    expect((await look(true)).map(({ fix }) => fix)).toEqual([canBe ? 'done' : 'none'])
    expect((await look()).map(finding => finding.code)).toEqual(canBe ? [] : [code])
  })

  test('what could not be mended is not said to be', async () => {
    const { state, look } = machine()
    state.mayChange = false
    state.modes.set(places.tokenPath, 0o644)
    expect(await look(true)).toMatchObject([{ code: 'TOKEN_OPEN', fix: 'possible' }])
  })

  test('beside a gateway, its port is not taken and what it writes is not left over', async () => {
    const { state, look } = machine()
    state.portFree = false
    state.names.push('sluice.json.77.new')
    expect(await look(true, true)).toEqual([])
    expect(state.names).toContain('sluice.json.77.new')
  })
})

test.each([
  [undefined, "userTimezone: 'Europe/Berlin'", []],
  ['system', '', []],
  ['default', "userTimezone: 'Europe/Berlin'", ['NO_ZONE']],
] as const)('a gateway that runs knows where its zone is from: %s', async (zoneFrom, zone, codes) => {
  const { parts } = machine(WELL.replace("userTimezone: 'Europe/Berlin'", zone))
  const shell = testShell('ws://nowhere')
  shell.doctor = async () => wishes => examine(parts(), wishes)
  const status = { model: 'p/m', ...(zoneFrom && { zoneFrom }) }
  shell.connect = async () => ({ call: async () => status, close: () => undefined }) as unknown as GatewayClient
  await run(shell, 'doctor', '--json')
  expect(JSON.parse(shell.out).findings.map(({ code }: { code: string }) => code)).toEqual(codes)
})

test.each([
  ['p/m', []],
  ['sluice/offline', ['NO_MODEL']],
])('a gateway that runs knows its model better than the environment of the command: %s', async (model, codes) => {
  const { look } = machine(WELL.replace("model: 'p/m',", ''))
  const shell = testShell('ws://nowhere')
  shell.doctor = async () => () => look(false, true)
  shell.connect = async () => ({ call: async () => ({ model }), close: () => undefined }) as unknown as GatewayClient
  expect(await run(shell, 'doctor', '--json')).toBe(0)
  expect(JSON.parse(shell.out).findings.map(({ code }: { code: string }) => code)).toEqual(codes)
})

test('the real command, on a real folder, with a gateway and without', async () => {
  const gateway = await scope.gateway({ config: '{}', port: await freePort() })
  chmodSync(join(gateway.stateDir, 'sluice.json'), 0o600)
  const doctor = async (...args: string[]) => {
    const { code, stdout } = await gateway.cli(['doctor', '--json', ...args])
    const { gateway: isRunning, ok, findings } = JSON.parse(stdout)
    return { code, isRunning, ok, codes: findings.map((each: { code: string }) => each.code) }
  }
  expect(await doctor()).toEqual({ code: 0, isRunning: true, ok: true, codes: ['NO_MODEL'] })
  chmodSync(join(gateway.stateDir, 'token'), 0o644)
  expect(await doctor()).toMatchObject({ code: 1, ok: false, codes: ['NO_MODEL', 'TOKEN_OPEN'] })
  expect(await doctor('--fix')).toMatchObject({ code: 0, ok: true })
  expect(statSync(join(gateway.stateDir, 'token')).mode & 0o777).toBe(0o600)
  const port = gateway.port
  await gateway.stop()
  expect(await doctor()).toMatchObject({ isRunning: false, codes: ['NO_MODEL'] })
  const store = new Database(join(gateway.stateDir, 'sluice.db'))
  const schema = store.pragma('user_version', { simple: true })
  store.pragma('user_version = 999')
  expect(await doctor()).toMatchObject({ code: 1, codes: ['NO_MODEL', 'STORE_DAMAGED'] })
  expect((await gateway.cli(['doctor'])).stdout).toContain('has schema version 999')
  store.pragma(`user_version = ${schema}`)
  store.close()
  const other = createServer(socket => socket.end('220 not ours\r\n'))
  await new Promise<void>(resolve => other.listen(port, '127.0.0.1', resolve))
  scope.onEnd(() => void other.close())
  writeFileSync(join(gateway.stateDir, 'sluice.db'), 'no database at all, but long enough to be looked at as one')
  expect(await doctor()).toMatchObject({
    code: 1,
    isRunning: false,
    codes: ['NO_MODEL', 'STORE_DAMAGED', 'PORT_TAKEN'],
  })
  expect((await gateway.cli(['doctor'])).stdout).toMatch(/problem STORE_DAMAGED: .*\n {2}Copy the folder/)
})
