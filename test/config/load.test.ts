// The config: what is refused, with which words, and what each key changes.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { modelsFor, workspaceFor } from '../../src/config/agents.ts'
import { readConfigFile } from '../../src/config/includes.ts'
import { reportKeys, UNUSED_KEYS, USED_KEYS } from '../../src/config/known-keys.ts'
import { type ConfigSources, loadSettings } from '../../src/config/load.ts'
import { clientSecrets, gatewayPort, locate } from '../../src/config/locate.ts'

const places = locate({}, '/nowhere')
const filesWith = (text: string | undefined) => ({
  readText: (path: string) => (path === places.configPath ? text : undefined),
  writePrivateText: () => undefined,
  ensurePrivateFolder: () => undefined,
})

function load(config: unknown, other: Partial<ConfigSources> = {}) {
  return loadSettings({
    files: filesWith(typeof config === 'string' ? config : JSON.stringify(config)),
    env: {},
    places,
    portOverride: undefined,
    systemZone: 'Europe/Berlin',
    isMethod: name => name === 'cron.add',
    ...other,
  })
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is how a config names the environment.
describe('each used key changes behaviour', () => {
  test.each([
    ['agents.defaults', { defaults: { heartbeat: { activeHours: { timezone: 'Mars' } } } }],
    ['agents.list.1', { list: [{ id: 'a' }, { id: 'b', heartbeat: { activeHours: { timezone: 'Mars' } } }] }],
    [
      'agents.defaults',
      {
        defaults: { heartbeat: { activeHours: { timezone: 'Mars' } } },
        list: [{ id: 'b', heartbeat: { every: '1h' } }],
      },
    ],
  ])('a zone of heartbeats that is none is named by its whole path: %s', (path, agents) => {
    const details = { issues: [{ path: `${path}.heartbeat.activeHours.timezone`, message: expect.any(String) }] }
    expect(() => load({ agents })).toThrow(expect.objectContaining({ details }))
  })

  test('defaults', () => {
    expect(load('')).toMatchObject({
      port: 18_789,
      zone: 'Europe/Berlin',
      cronEnabled: true,
      staggerMs: 1_000,
      warnings: [],
    })
  })

  test('values are taken as they are', () => {
    const settings = load(
      {
        gateway: { port: 1234, bind: 'loopback', auth: { mode: 'token', token: 'a'.repeat(20) } },
        models: {
          providers: {
            local: {
              baseUrl: 'http://127.0.0.1:1/v1',
              apiKey: '${KEY}',
              headers: { a: 'b' },
              api: 'openai-completions',
            },
          },
        },
        agents: {
          defaults: { model: { primary: 'local/m' }, userTimezone: 'Asia/Tokyo', timeoutSeconds: 5, maxConcurrent: 2 },
        },
        tools: { allow: ['cron'], deny: ['x'], cron: { timeoutMs: 200 } },
        methods: { 'cron.add': { timeoutMs: 7 } },
        cron: { enabled: false },
        logging: { level: 'debug' },
      },
      { env: { KEY: 'secret' } },
    )
    expect(settings).toMatchObject({
      port: 1234,
      token: 'a'.repeat(20),
      zone: 'Asia/Tokyo',
      zoneFrom: 'config',
      turnTimeoutMs: 5_000,
      slots: { turns: 2 },
      toolPolicy: { allow: ['cron'], deny: ['x'] },
      cronEnabled: false,
      log: { level: 'debug' },
      warnings: [],
    })
    expect(settings.models.providers.local).toMatchObject({ apiKey: 'secret', headers: { a: 'b' } })
    expect(settings.models.primary).toBe('local/m')
    expect([...settings.methodTimeoutsMs]).toEqual([['cron.add', 7]])
    expect([...settings.toolTimeoutsMs]).toEqual([['cron', 200]])
    expect(load({ agents: { defaults: { model: 'a/b' } } }).models.primary).toBe('a/b')
  })

  test('what waits, and how long a turn may be alone, has defaults', () => {
    expect(load('')).toMatchObject({
      slots: { turns: 8, jobs: 4, subagents: 8 },
      queue: { ahead: 50, all: 5_000 },
      subagents: { depthMax: 2, childrenMax: 8 },
      hopsMax: 10,
      exec: {
        security: 'deny',
        ask: 'on-miss',
        allow: [],
        timeoutMs: 1_800_000,
        approvalTimeoutMs: 600_000,
        cwd: undefined,
      },
      webFetch: false,
      agents: [{ id: 'main' }],
      defaultAgent: 'main',
      workspace: '/nowhere/.sluice/workspace',
    })
    expect(load('').subagents.deny).toEqual([
      'sessions_list',
      'sessions_history',
      'sessions_send',
      'sessions_spawn',
      'gateway',
      'agents_list',
      'session_status',
      'cron',
    ])
  })

  test('what waits, and how long a turn may be alone, is as the config says', () => {
    const settings = load({
      models: { providers: { local: { baseUrl: 'http://127.0.0.1:1/v1', maxConcurrent: 3 } } },
      agents: {
        defaults: { maxQueued: 70, subagents: { maxConcurrent: 5, maxDepth: 0, maxChildren: 1 } },
        list: [{ id: 'ann', name: 'Ann', maxConcurrent: 2 }, { id: 'bob' }],
      },
      cron: { maxConcurrentRuns: 6 },
      messages: { queue: { cap: 9 } },
      session: { agentToAgent: { maxPingPongTurns: 1 } },
      tools: {
        exec: {
          security: 'allowlist',
          ask: 'off',
          allow: ['git'],
          timeoutSec: 2,
          approvalTimeoutSec: 3,
          workdir: '/srv',
          timeoutMs: 4,
        },
        subagents: { tools: { allow: ['cron'], deny: ['exec'] } },
        web: { fetch: { enabled: true } },
      },
    })
    expect(settings).toMatchObject({
      queue: { ahead: 9, all: 70 },
      subagents: { depthMax: 0, childrenMax: 1 },
      hopsMax: 2,
      exec: {
        security: 'allowlist',
        ask: 'off',
        allow: ['git'],
        timeoutMs: 2_000,
        approvalTimeoutMs: 3_000,
        cwd: '/srv',
      },
      webFetch: true,
      warnings: [],
    })
    expect(settings.slots).toEqual({ turns: 8, jobs: 6, subagents: 5, 'agent:ann': 2, 'provider:local': 3 })
    expect(settings.agents).toMatchObject([{ id: 'main' }, { id: 'ann', name: 'Ann' }, { id: 'bob' }])
    expect(settings.subagents.deny).toContain('exec')
    expect(settings.subagents.deny).not.toContain('cron')
    expect([...settings.toolTimeoutsMs]).toEqual([['exec', 4]])
    expect(load({ agents: { list: [{ id: 'bob' }, { id: 'main', name: 'Max' }] } }).agents).toMatchObject([
      { id: 'bob' },
      { id: 'main', name: 'Max' },
    ])
  })

  test('the flag wins over the environment, which wins over the file', () => {
    const config = { gateway: { port: 1, auth: { token: 'f'.repeat(16) } } }
    const env = { SLUICE_GATEWAY_PORT: '2', SLUICE_GATEWAY_TOKEN: 'from-env' }
    expect(load(config, { env, portOverride: 3 })).toMatchObject({ port: 3, token: 'from-env' })
    expect(load(config, { env }).port).toBe(2)
    expect(gatewayPort({}, config)).toBe(1)
    expect(clientSecrets(filesWith(''), {}, { config, tokenPath: '/t' })).toEqual({ token: 'f'.repeat(16) })
  })

  test('a machine without a zone is said to have none', () => {
    expect(load('', { systemZone: 'UTC' })).toMatchObject({ zone: 'UTC', zoneFrom: 'default' })
    expect(load('', { systemZone: 'UTC', env: { TZ: 'UTC' } }).zoneFrom).toBe('system')
  })
})

describe('what is refused, by its path and with what is allowed', () => {
  test.each([
    ['{ gateway: ', /sluice\.json is not valid JSON5: .*Correct it there/],
    [{ gateway: { port: 'x' } }, /gateway\.port/],
    [{ gateway: { bind: 'everywhere' } }, /gateway\.bind: give loopback, lan, tailnet, or an IP address/],
    [{ gateway: { bind: 'custom' } }, /gateway\.bind is "custom", but gateway\.customBindHost is not set/],
    [{ gateway: { auth: { mode: 'none' } } }, /gateway\.auth\.mode: only "token" and "password"/],
    [{ gateway: { auth: { mode: 'password' } } }, /gateway\.auth\.mode is "password", but gateway\.auth\.password/],
    [{ gateway: { auth: { password: 'short' } } }, /gateway\.auth\.password: a password needs at least 12/],
    [{ gateway: { tls: { enabled: true, certPath: '/c.pem' } } }, /gateway\.tls: needs certPath and keyPath/],
    [{ gateway: { trustedProxies: ['10.0.0.0/33'] } }, /gateway\.trustedProxies\.0: give an IP address or a network/],
    [{ gateway: { allowedHosts: ['https://x'] } }, /gateway\.allowedHosts\.0: give a name/],
    [{ gateway: { auth: { token: 'short' } } }, /gateway\.auth\.token: a token needs at least 16 characters/],
    [{ models: { providers: { a: { baseUrl: 'ftp://x' } } } }, /models\.providers\.a\.baseUrl: give an http\(s\) URL/],
    [{ agents: { defaults: { model: 'noslash' } } }, /agents\.defaults\.model/],
    [{ agents: { defaults: { userTimezone: 'Mars/Base' } } }, /"Mars\/Base", which is no IANA zone/],
    [{ models: { providers: { a: { baseUrl: '${NOPE}' } } } }, /models\.providers\.a\.baseUrl names \$\{NOPE\}/],
    [{ tools: { cron: { timeoutMs: 'long' } } }, /tools\.cron\.timeoutMs is "long"; give whole milliseconds/],
    [{ methods: { 'no.such': { timeoutMs: 1 } } }, /methods\.no\.such names no method/],
    [{ agents: { list: [{ id: 'Ann' }] } }, /agents\.list\.0\.id: an agent id is up to 64 small letters/],
    [{ agents: { list: [{ id: 'a' }, { id: 'a' }] } }, /agents\.list: two agents have the same id/],
    [
      {
        agents: {
          list: [
            { id: 'a', default: true },
            { id: 'b', default: true },
          ],
        },
      },
      /two agents are the default/,
    ],
    [{ agents: { list: [{ id: 'a', workspace: 'here' }] } }, /agents\.list\.0\.workspace: give an absolute path/],
    [
      { agents: { list: [{ id: 'a', subagents: { allowAgents: ['b'] } }] } },
      /"b", which is no agent; there are: main, a/,
    ],
    [{ bindings: [{ agentId: 'b', match: { channel: 'x' } }] }, /bindings\.0\.agentId is "b", which is no agent/],
    [{ logging: { file: 'log' } }, /logging\.file: give an absolute path/],
    [{ tools: { exec: { security: 'maybe' } } }, /tools\.exec\.security/],
    [{ tools: { exec: { workdir: 'here' } } }, /tools\.exec\.workdir: give an absolute path/],
    [{ cron: { maxConcurrentRuns: 0 } }, /cron\.maxConcurrentRuns/],
  ])('%j', (config, message) => {
    expect(() => load(config)).toThrow(message)
  })

  test('all that is wrong is told as data too', () => {
    const refused = (config: unknown) => {
      try {
        load(config)
      } catch (error) {
        return (error as { details?: { issues?: { path: string }[] } }).details?.issues?.map(issue => issue.path)
      }
    }
    expect(refused({ gateway: { port: 'x' }, cron: { enabled: 1 } })).toEqual(['gateway.port', 'cron.enabled'])
    expect(refused({ agents: { defaults: { userTimezone: 'Mars/Base' } } })).toEqual(['agents.defaults.userTimezone'])
  })

  test('the value is told as it is written in the file; a secret is not, nor what stands for it', () => {
    const env = { KEY: 'hunter2', NUMBER: '7' }
    expect(() => load({ logging: { level: 'loud' } })).toThrow(/logging\.level: .*"warn".* \(it is "loud"\)/)
    expect(() => load({ logging: { level: '${KEY}' } }, { env })).toThrow(/\(it is "\$\{KEY\}"\)/)
    for (const token of ['hunter2', 7_312, '${KEY}']) {
      const messageOf = () => {
        try {
          load({ gateway: { auth: { token } } }, { env })
        } catch (error) {
          return (error as Error).message
        }
      }
      expect(messageOf()).toMatch(/gateway\.auth\.token: /)
      expect(messageOf()).not.toMatch(/hunter2|7312/)
    }
  })

  test.each(['-1', 'x', '70000'])('SLUICE_GATEWAY_PORT=%s', port => {
    expect(() => gatewayPort({ SLUICE_GATEWAY_PORT: port }, {})).toThrow(/SLUICE_GATEWAY_PORT is .*give a port/)
  })
})

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above.

describe('keys', () => {
  test('unknown ones are named with what was perhaps meant, unused ones listed, neither stops the start', () => {
    const { warnings } = load({
      gatway: {},
      gateway: { prot: 1 },
      channels: { whatsapp: {} },
      agents: { defaults: { sandbox: {} }, list: [{ id: 'a' }, { id: 'b', sandbox: {}, naem: 'B' }] },
      tools: { exec: { security: 'deny', node: 'x' }, subagents: { tols: {} } },
      x: 1,
    })
    expect(warnings).toEqual([
      'config: gatway is not known; did you mean gateway?',
      'config: gateway.prot is not known; did you mean gateway.port?',
      'config: agents.list.1.naem is not known; did you mean agents.list.1.name?',
      'config: tools.subagents.tols is not known; did you mean tools.subagents.tools?',
      'config: x is not known',
      'config: understood but not used by this version: channels.whatsapp, agents.defaults.sandbox, agents.list.1.sandbox, tools.exec.node',
    ])
  })

  test('no key is both used and unused', () => {
    expect(USED_KEYS.filter(key => UNUSED_KEYS.includes(key))).toEqual([])
    for (const key of UNUSED_KEYS) {
      const config = key
        .replaceAll('*', 'any')
        .split('.')
        .reduceRight<unknown>((value, part) => ({ [part]: value }), {})
      expect(reportKeys(config).unused).toEqual([key.replaceAll('*', 'any')])
    }
  })

  test('no config file is no config', () => {
    expect(readConfigFile(filesWith(undefined), places.configPath)).toBeUndefined()
  })
})

test('the config of docs/guides/agents.md is such that starts, and says what the guide says', () => {
  const guide = readFileSync(new URL('../../docs/guides/agents.md', import.meta.url), 'utf8')
  const [, shown = ''] = /```json5\n([\s\S]*?)```/.exec(guide) ?? []
  const settings = load(shown, { env: { HOME: '/people/ada' } })
  expect(settings.warnings).toEqual([])
  expect(settings.defaultAgent).toBe('home')
  const folders = ['home', 'work', 'main'].map(id => workspaceFor(settings, id))
  const usual = '/nowhere/.sluice/workspace'
  expect(folders).toEqual([usual, '/people/ada/work/agent', `${usual}-main`])
  const fallbacks = ['local/small']
  expect(modelsFor(settings, 'work')).toMatchObject({ primary: 'local/large', fallbacks })
  expect(modelsFor(settings, 'home')).toMatchObject({ primary: 'local/llama3.3', fallbacks })
})
