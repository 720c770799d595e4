// Taking over what another gateway's files hold: every spelling of a job, keys that mean the same, each once.
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { GatewayClient } from '../../src/client/client.ts'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { planImport } from '../../src/maintenance/import.ts'
import { plannedConfig } from '../../src/maintenance/import-config.ts'
import { plannedJobs } from '../../src/maintenance/import-jobs.ts'
import { isMethodName } from '../../src/protocol/catalogue.ts'
import type { Schedule } from '../../src/protocol/job.ts'
import { validateSchedule } from '../../src/scheduler/next-occurrence.ts'
import { run, testShell } from '../cli/test-shell.ts'
import { settled } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'

const NOW = Date.UTC(2026, 10, 22, 9)
const HOUR = 3_600_000

const check = (schedule: Schedule) => validateSchedule(schedule, 'UTC', NOW)
const one = (job: object) => plannedJobs({ version: 1, jobs: [job] }, NOW, check)[0]
const turn = { kind: 'agentTurn', message: 'look' }

test.each([
  ['as it is stored', { id: 'a', name: 'n', schedule: { kind: 'every', everyMs: HOUR }, payload: turn, state: {} }],
  ['its former id', { jobId: 'a', name: 'n', schedule: { everyMs: HOUR }, payload: turn }],
  [
    'nulls for what is not set',
    { id: 'a', name: 'n', agentId: null, isolation: null, schedule: { everyMs: HOUR, anchorMs: null }, payload: turn },
  ],
  ['a payload that says no kind', { id: 'a', name: 'n', schedule: { everyMs: HOUR }, payload: { message: 'look' } }],
  [
    'a kind in other letters',
    { id: 'a', name: 'n', schedule: { everyMs: HOUR }, payload: { ...turn, kind: 'agent_turn' } },
  ],
  ['a wrapper', { id: 'a', job: { name: 'n', schedule: { everyMs: HOUR }, payload: turn } }],
  ['the other wrapper', { data: { id: 'a', name: 'n', schedule: { everyMs: HOUR }, payload: turn } }],
  ['keys that nobody knows', { id: 'a', name: 'n', schedule: { everyMs: HOUR }, payload: turn, legacy: { x: 1 } }],
])('a job with %s', (_, job) => {
  expect(one(job)).toEqual({
    ...{ id: 'a', name: 'n' },
    job: {
      ...{ name: 'n', enabled: true, wakeMode: 'next-heartbeat', sessionTarget: 'isolated' },
      ...{ schedule: { kind: 'every', everyMs: HOUR }, payload: turn },
    },
  })
})

test('a job goes on in its rhythm, is named by what it says, keeps its switch and its old channel', () => {
  const payload = { kind: 'systemevent', text: 'Water the plants\nall of them' }
  const rhythm = { id: 'a', enabled: 'FALSE', schedule: { everyMs: HOUR }, payload, state: { nextRunAtMs: NOW + 5 } }
  expect(one(rhythm)?.job).toMatchObject({
    ...{ name: 'Water the plants', enabled: false, sessionTarget: 'main' },
    ...{ schedule: { kind: 'every', everyMs: HOUR, anchorMs: NOW + 5 }, payload: { kind: 'systemEvent' } },
  })
  const cron = { id: 'b', name: 'c', schedule: '0 9 * * 1', payload: { ...turn, provider: 'Telegram', to: '7' } }
  expect(one(cron)?.job).toMatchObject({
    schedule: { kind: 'cron', expr: '0 9 * * 1' },
    payload: { channel: 'telegram', to: '7' },
  })
  const at = { id: 'c', name: 'd', schedule: { at: '2026-11-23T08:00:00' }, payload: turn }
  expect(one(at)?.job).toMatchObject({ schedule: { kind: 'at', atMs: Date.UTC(2026, 10, 23, 8) } })
})

test.each([
  ['past', { id: 'a', name: 'n', schedule: { atMs: NOW - 1 }, payload: turn }, /time has passed/],
  [
    'done',
    { id: 'a', name: 'n', schedule: { atMs: NOW + 1 }, payload: turn, state: { lastStatus: 'ok' } },
    /time has passed/,
  ],
  [
    'of a wrong pair',
    { id: 'a', name: 'n', schedule: { everyMs: HOUR }, sessionTarget: 'main', payload: turn },
    /systemEvent/,
  ],
  [
    'of a line that is none',
    { id: 'a', name: 'n', schedule: { kind: 'cron', expr: 'whenever' }, payload: turn },
    /schedule\/expr|CronPattern/,
  ],
  ['never due', { id: 'a', name: 'n', schedule: { kind: 'cron', expr: '0 0 31 2 *' }, payload: turn }, /never fires/],
  ['in no zone', { id: 'a', name: 'n', schedule: { expr: '0 9 * * *', tz: 'Mars' }, payload: turn }, /time zone/],
  ['without a schedule', { id: 'a', name: 'n', payload: turn }, /schedule/],
  ['no object', 'nonsense', /not understood/],
])('a job that is %s is named with the reason', (_, job, why) => {
  expect(plannedJobs([job], NOW, check)).toEqual([expect.objectContaining({ why: expect.stringMatching(why) })])
  expect(plannedJobs([job], NOW, check)[0]).not.toHaveProperty('job')
})

test('whatever stands in the file, each entry is answered by one, under an id that stays', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), list => {
      const planned = plannedJobs(list, NOW, check)
      expect(planned).toHaveLength(list.length)
      expect(plannedJobs(structuredClone(list), NOW, check)).toEqual(planned)
      for (const { job, why } of planned) expect((job === undefined) !== (why === undefined)).toBe(true)
    }),
  )
})

test('config: what means the same and is not set here is taken; the rest is named with the reason', () => {
  const theirs = {
    gateway: { port: 1, auth: { token: 'theirs' } },
    agents: { defaults: { userTimezone: 'Europe/Paris', timeoutSeconds: 60, memorySearch: { enabled: true } } },
    messages: { queue: { mode: 'collect', cap: 'many' } },
    hooks: { enabled: true },
    tools: { deny: ['exec'] },
    nonsense: { a: 1 },
  }
  const own = { tools: { deny: ['exec'] }, agents: { defaults: { timeoutSeconds: 30 } } }
  // A judge that stops at what it finds first.
  const wrong = (patch: object) => {
    if (JSON.stringify(patch).includes('many')) return [{ path: 'messages.queue.cap', message: 'is no number' }]
    return 'hooks' in patch ? [{ path: 'hooks.enabled', message: 'is true, but there is no token' }] : []
  }
  const { patch, keys } = plannedConfig(theirs, own, wrong)
  expect(patch).toEqual({
    agents: { defaults: { userTimezone: 'Europe/Paris' } },
    messages: { queue: { mode: 'collect' } },
  })
  expect(Object.fromEntries(keys.map(({ path, why }) => [path, why]))).toEqual({
    'gateway.port': expect.stringContaining('its own'),
    'gateway.auth.token': expect.stringContaining('its own'),
    'agents.defaults.userTimezone': undefined,
    'agents.defaults.timeoutSeconds': 'is set otherwise here, which stays',
    'agents.defaults.memorySearch.enabled': expect.stringContaining('not used'),
    'messages.queue.mode': undefined,
    'messages.queue.cap': 'refused: is no number',
    'hooks.enabled': 'refused: is true, but there is no token',
    'tools.deny': 'is so already',
    'nonsense.a': 'not known',
  })
})

test('config: what is wrong here already is the reason for each key of theirs', () => {
  const { patch, keys } = plannedConfig({ cron: { enabled: true } }, { gateway: { port: 'x' } }, () => [
    { path: 'gateway.port', message: 'is no number' },
  ])
  expect([patch, keys]).toEqual([{}, [{ path: 'cron.enabled', why: 'refused: gateway.port is no number' }]])
})

let house: House
afterEach(() => house?.close())

/** The command on a house, whose files are also those of the other gateway. */
async function importing() {
  house = await openHouse(() => text(''), { config: { agents: { defaults: { timeoutSeconds: 30 } } } })
  const { files, clock, folder } = house
  const jobs = [
    {
      id: 'a',
      name: 'tea',
      schedule: { kind: 'cron', expr: '0 16 * * *' },
      sessionTarget: 'main',
      payload: { kind: 'systemEvent', text: 'tea' },
    },
    {
      id: 'w',
      name: 'call',
      schedule: { atMs: NOW + 400 * 24 * HOUR },
      payload: { ...turn, to: '1', channel: 'whatsapp' },
    },
    { id: 'b', name: 'bad', agentId: 'gone', schedule: { everyMs: HOUR }, payload: turn },
  ]
  files['/their/.clawdbot/clawdbot.json'] =
    "{ messages: { queue: { mode: 'collect' } }, agents: { defaults: { timeoutSeconds: 60 } } }"
  files['/their/.clawdbot/cron/jobs.json'] = JSON.stringify({ version: 1, jobs })
  const reads = {
    readText: (path: string) => files[path],
    writePrivateText: (path: string, content: string) => {
      files[path] = content
    },
    ensurePrivateFolder: () => undefined,
  }
  const places = locate({ SLUICE_STATE_DIR: folder }, '/nowhere')
  const load = (config: string | undefined) =>
    loadSettings({
      files: { ...reads, readText: path => (path === places.configPath ? config : files[path]) },
      ...{ env: {}, places, portOverride: 0, systemZone: 'UTC', isMethod: isMethodName },
    })
  const config = { path: places.configPath, files: reads, load }
  const parts = { files: reads, clock, places, config, home: '/their', checkSchedule: check }
  const shell = testShell('ws://nowhere')
  shell.imports = async () => from => planImport(parts, from)
  shell.connect = async () => ({ call: house.call, close: () => undefined }) as unknown as GatewayClient
  const command = async (...args: string[]) => {
    shell.out = ''
    const code = await run(shell, 'import', 'clawdbot', ...args)
    return { code, out: shell.out, err: shell.err }
  }
  return { command, shell }
}

test('the plan changes nothing; --yes takes it over; a second run, also days later, finds nothing more to do', async () => {
  const { command } = await importing()
  const plan = await command()
  expect(plan.out).toContain('+ job "tea"')
  expect(plan.out).toContain('+ config messages.queue.mode')
  expect(plan.out).toContain('- config agents.defaults.timeoutSeconds: is set otherwise here')
  expect([plan.code, house.store.read.jobCount({ includeDisabled: true })]).toEqual([0, 0])
  const done = await command('--yes')
  expect(done.out).toContain('Not taken over: job "bad"')
  expect(done.out).toContain('Warning: job "call": delivery: there is no channel "whatsapp" here')
  expect(done.code).toBe(1)
  const { jobs } = await house.call('cron.list')
  expect(jobs).toMatchObject([{ name: 'tea', schedule: { expr: '0 16 * * *' } }, { name: 'call' }])
  expect(house.parts.settings().queueModes.mode).toBe('collect')
  expect(house.parts.settings().turnTimeoutMs).toBe(30_000)
  // Changed and removed since: what was taken over once is not brought back.
  await house.call('cron.remove', { id: jobs[0]?.id })
  // In one leap: the gateway's own look at its clock, each 20 s, is not what is tried here.
  house.clock.leap(30 * 24 * HOUR)
  await settled()
  const again = await command('--yes', '--json')
  expect(JSON.parse(again.out)).toMatchObject({
    jobs: [{ id: 'a', why: 'was taken over before' }, { id: 'w', why: 'was taken over before' }, { id: 'b' }],
    refused: [{ what: 'job "bad"' }],
  })
  expect(house.store.read.jobCount({ includeDisabled: true })).toBe(1)
})

test('a config that only the gateway finds wrong, as its environment is another, is told with the key', async () => {
  const { command, shell } = await importing()
  const issues = [{ path: 'messages.queue.mode', message: 'is wrong over there' }]
  const refuse = (method: string, params: object) => {
    if (method === 'config.patch') throw new SluiceError('INVALID_REQUEST', 'invalid config', { details: { issues } })
    return house.call(method as 'cron.add', params)
  }
  shell.connect = async () => ({ call: refuse, close: () => undefined }) as unknown as GatewayClient
  const { code, out } = await command('--yes')
  expect([code, out]).toEqual([
    1,
    expect.stringContaining('the config: Nothing was changed: messages.queue.mode: is wrong'),
  ])
})

test('a restart that the config brings about is told', async () => {
  const { command, shell } = await importing()
  const restart = async (method: string, params: object) => {
    const answer = await house.call(method as 'cron.add', params)
    return method === 'config.patch' ? { ...answer, restart: { delayMs: 2_000 } } : answer
  }
  shell.connect = async () => ({ call: restart, close: () => undefined }) as unknown as GatewayClient
  expect((await command('--yes')).out).toContain('Warning: the config: the gateway restarts by itself now')
})

test('a place with nothing in it is said to be one', async () => {
  const { command } = await importing()
  const { code, err } = await command('/empty')
  expect([code, err]).toEqual([
    1,
    expect.stringContaining('There is neither clawdbot.json nor cron/jobs.json in /empty'),
  ])
})
