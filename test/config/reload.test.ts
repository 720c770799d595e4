// A changed config: each used key is named when it changes, alone, and with what it takes to take it up.
import { describe, expect, test } from 'vitest'
import { USED_KEYS } from '../../src/config/known-keys.ts'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { compareSettings } from '../../src/config/reload.ts'

const places = locate({}, '/nowhere')

function load(config: object, env: Record<string, string> = {}) {
  const text = JSON.stringify(config)
  return loadSettings({
    files: {
      readText: path => (path === '/token' ? '3:c' : text),
      writePrivateText: () => undefined,
      ensurePrivateFolder: () => undefined,
    },
    env,
    places,
    portOverride: undefined,
    systemZone: 'Europe/Berlin',
    isMethod: name => name === 'cron.add',
  })
}

const provider = { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k', models: [{ id: 'm' }] }
const tls = { enabled: true, certPath: '/c.pem', keyPath: '/k.pem' }
const heartbeat = { every: '1h', activeHours: { start: '07:00', timezone: 'UTC' } }
const BEFORE = {
  gateway: { bind: 'custom', customBindHost: '10.0.0.1', auth: { mode: 'token', password: 'p'.repeat(20) }, tls },
  models: { providers: { p: provider } },
  hooks: { enabled: true, token: 'h'.repeat(20) },
  channels: { telegram: { botToken: '1:a', webhookUrl: 'https://a.test', webhookSecret: 's'.repeat(16) } },
  session: { reset: { mode: 'daily', idleMinutes: 5 } },
  agents: { defaults: { heartbeat }, list: [{ id: 'a', heartbeat: {} }, { id: 'c' }] },
  bindings: [{ agentId: 'c', match: { channel: 'irc', peer: { kind: 'dm', id: '7' } } }],
}

const [RULES, TOKEN] = ['channels.telegram', 'channels.telegram.botToken']
const ON = `${RULES}, ${TOKEN}`

const HEARTBEAT = {
  every: '2h',
  'activeHours.start': '08:00',
  'activeHours.end': '20:00',
  'activeHours.timezone': 'Asia/Tokyo',
  prompt: 'Look.',
  model: 'p/other',
  target: 'none',
  ackMaxChars: 7,
}

const OF_AN_AGENT = {
  default: true,
  workspace: '/srv/a',
  model: 'p/m',
  'model.primary': 'p/m',
  'model.fallbacks': ['p/n'],
  'identity.name': 'Ann',
  'identity.theme': 'calm',
  'identity.emoji': '🦊',
  'identity.avatar': 'https://a.example/a.png',
  'tools.allow': ['cron'],
  'tools.deny': ['exec'],
  'subagents.allowAgents': ['c'],
  'subagents.model': 'p/m',
  'subagents.model.primary': 'p/m',
}

/** For each used key, a value that is not its default; and the name by which the change is told, where it is another. */
const CHANGES: Readonly<Record<string, { readonly to: unknown; readonly told?: string }>> = {
  'gateway.port': { to: 1 },
  'gateway.bind': { to: 'lan' },
  'gateway.customBindHost': { to: '10.0.0.2', told: 'gateway.bind' },
  'gateway.auth.mode': { to: 'password', told: 'gateway.auth.password' },
  'gateway.auth.token': { to: 't'.repeat(20) },
  'gateway.tls.enabled': { to: false, told: 'gateway.tls' },
  'gateway.tls.certPath': { to: '/other.pem', told: 'gateway.tls' },
  'gateway.tls.keyPath': { to: '/other.pem', told: 'gateway.tls' },
  'gateway.trustedProxies': { to: ['10.0.0.0/8'] },
  'gateway.allowedHosts': { to: ['box.lan'] },
  'gateway.http.endpoints.chatCompletions.enabled': { to: true, told: 'gateway.http.endpoints' },
  'gateway.http.endpoints.responses.enabled': { to: true, told: 'gateway.http.endpoints' },
  'hooks.enabled': { to: false, told: 'hooks' },
  'hooks.token': { to: 'i'.repeat(20), told: 'hooks' },
  'hooks.path': { to: '/calls', told: 'hooks' },
  'hooks.maxBodyBytes': { to: 9, told: 'hooks' },
  'models.providers.p.baseUrl': { to: 'http://127.0.0.1:2/v1', told: 'models.providers' },
  'models.providers.p.apiKey': { to: 'other', told: 'models.providers' },
  'models.providers.p.api': { to: 'anthropic-messages', told: 'models.providers' },
  'models.providers.p.headers': { to: { a: 'b' }, told: 'models.providers' },
  'models.providers.p.maxConcurrent': { to: 3, told: 'models.providers' },
  'models.providers.p.timeoutSeconds': { to: 3, told: 'models.providers' },
  'models.providers.p.models.0.id': { to: 'n', told: 'models.providers' },
  'models.providers.p.models.0.name': { to: 'N', told: 'models.providers' },
  'models.providers.p.models.0.reasoning': { to: true, told: 'models.providers' },
  'models.providers.p.models.0.input': { to: ['text', 'image'], told: 'models.providers' },
  'models.providers.p.models.0.cost.input': { to: 1, told: 'models.providers' },
  'models.providers.p.models.0.cost.output': { to: 1, told: 'models.providers' },
  'models.providers.p.models.0.cost.cacheRead': { to: 1, told: 'models.providers' },
  'models.providers.p.models.0.cost.cacheWrite': { to: 1, told: 'models.providers' },
  'models.providers.p.models.0.contextWindow': { to: 1_000, told: 'models.providers' },
  'models.caps.turn.tokens': { to: 5, told: 'models.caps' },
  'models.caps.turn.usd': { to: false, told: 'models.caps' },
  'models.caps.session.tokens': { to: 5, told: 'models.caps' },
  'models.caps.session.usd': { to: false, told: 'models.caps' },
  'models.caps.job.tokens': { to: 5, told: 'models.caps' },
  'models.caps.job.usd': { to: false, told: 'models.caps' },
  'models.caps.day.tokens': { to: 5, told: 'models.caps' },
  'models.caps.day.usd': { to: false, told: 'models.caps' },
  'agents.defaults.model.fallbacks': { to: ['p/n'], told: 'agents.defaults.model' },
  'agents.defaults.model': { to: 'p/m' },
  'agents.defaults.model.primary': { to: 'p/m', told: 'agents.defaults.model' },
  'agents.defaults.userTimezone': { to: 'Asia/Tokyo' },
  'agents.defaults.timeoutSeconds': { to: 7 },
  'agents.defaults.maxConcurrent': { to: 3 },
  'agents.defaults.maxQueued': { to: 3 },
  'agents.defaults.subagents.maxConcurrent': { to: 3, told: 'agents.defaults.subagents' },
  'agents.defaults.subagents.maxDepth': { to: 3, told: 'agents.defaults.subagents' },
  'agents.defaults.subagents.maxChildren': { to: 3, told: 'agents.defaults.subagents' },
  'agents.list.0.id': { to: 'b', told: 'agents.list' },
  'agents.list.0.name': { to: 'Ann', told: 'agents.list' },
  ...Object.fromEntries(
    Object.entries(OF_AN_AGENT).map(([key, to]) => [`agents.list.0.${key}`, { to, told: 'agents.list' }]),
  ),
  'agents.defaults.workspace': { to: '/srv/agents' },
  'agents.defaults.bootstrapMaxChars': { to: 5 },
  'agents.defaults.subagents.model': { to: 'p/n', told: 'agents.defaults.subagents' },
  'agents.defaults.subagents.model.primary': { to: 'p/n', told: 'agents.defaults.subagents' },
  'bindings.0.agentId': { to: 'a', told: 'bindings' },
  'bindings.0.match.channel': { to: 'matrix', told: 'bindings' },
  'bindings.0.match.accountId': { to: '*', told: 'bindings' },
  'bindings.0.match.peer.kind': { to: 'group', told: 'bindings' },
  'bindings.0.match.peer.id': { to: '8', told: 'bindings' },
  'tools.agentToAgent.enabled': { to: true, told: 'tools.agentToAgent' },
  'tools.agentToAgent.allow': { to: ['a'], told: 'tools.agentToAgent' },
  'logging.file': { to: '/var/log/other.log' },
  'logging.maxFileMb': { to: 1 },
  'logging.keepFiles': { to: 7 },
  'agents.list.0.maxConcurrent': { to: 3, told: 'agents.list' },
  ...Object.fromEntries(
    ['defaults', 'list.0'].flatMap(whose =>
      Object.entries(HEARTBEAT).map(([key, to]) => [
        `agents.${whose}.heartbeat.${key}`,
        { to, told: 'agents.*.heartbeat' },
      ]),
    ),
  ),
  'channels.telegram.enabled': { to: false, told: ON },
  'channels.telegram.botToken': { to: '2:b', told: TOKEN },
  'channels.telegram.tokenFile': { to: '/token', told: TOKEN },
  'channels.telegram.webhookUrl': { to: 'https://b.test', told: TOKEN },
  'channels.telegram.webhookSecret': { to: 't'.repeat(16), told: TOKEN },
  'channels.telegram.webhookPath': { to: '/other', told: TOKEN },
  'channels.telegram.apiRoot': { to: 'http://127.0.0.1:1', told: TOKEN },
  'channels.telegram.dmPolicy': { to: 'open', told: RULES },
  'channels.telegram.allowFrom': { to: [1], told: RULES },
  'channels.telegram.groupPolicy': { to: 'open', told: RULES },
  'channels.telegram.groupAllowFrom': { to: [1], told: RULES },
  'channels.telegram.groups.0.enabled': { to: false, told: RULES },
  'channels.telegram.groups.0.requireMention': { to: false, told: RULES },
  'channels.telegram.groups.0.allowFrom': { to: [1], told: RULES },
  'channels.telegram.mediaMaxMb': { to: 1, told: RULES },
  'channels.telegram.streamMode': { to: 'off', told: RULES },
  'messages.ackReaction': { to: '' },
  'messages.ackReactionScope': { to: 'all', told: 'messages.ackReaction' },
  'messages.removeAckAfterReply': { to: true, told: 'messages.ackReaction' },
  'messages.queue.cap': { to: 3 },
  'messages.queue.mode': { to: 'collect' },
  'messages.queue.byChannel': { to: { loopback: 'reject' } },
  'session.agentToAgent.maxPingPongTurns': { to: 3 },
  'session.reset.mode': { to: 'idle', told: 'session.reset' },
  'session.reset.atHour': { to: 5, told: 'session.reset' },
  'session.reset.idleMinutes': { to: 7, told: 'session.reset' },
  'tools.allow': { to: ['cron'] },
  'tools.deny': { to: ['cron'] },
  'tools.exec.security': { to: 'full', told: 'tools.exec' },
  'tools.exec.ask': { to: 'always', told: 'tools.exec' },
  'tools.exec.allow': { to: ['git'], told: 'tools.exec' },
  'tools.exec.timeoutSec': { to: 3, told: 'tools.exec' },
  'tools.exec.approvalTimeoutSec': { to: 3, told: 'tools.exec' },
  'tools.exec.workdir': { to: '/srv', told: 'tools.exec' },
  'tools.subagents.tools.allow': { to: ['cron'], told: 'tools.subagents' },
  'tools.subagents.tools.deny': { to: ['exec'], told: 'tools.subagents' },
  'tools.web.fetch.enabled': { to: true },
  'tools.cron.timeoutMs': { to: 3, told: 'tools.*.timeoutMs' },
  'methods.cron.add.timeoutMs': { to: 3, told: 'methods.*.timeoutMs' },
  'cron.commands': { to: 'operator' },
  'cron.enabled': { to: false },
  'cron.maxConcurrentRuns': { to: 3 },
  'cron.staggerMs': { to: 3 },
  'logging.level': { to: 'debug' },
}
/** Tried with another mode, below. */
const ELSEWHERE = ['gateway.auth.password']

/** `BEFORE` with one value set; `methods.cron.add` is one name. */
function changed(path: string, value: unknown): object {
  const keys = path.replace('cron.add', 'cron add').split('.')
  const copy = structuredClone(BEFORE) as Record<string, unknown>
  let at = copy
  for (const key of keys.slice(0, -1)) {
    const name = key.replace(' ', '.')
    at[name] ??= {}
    at = at[name] as Record<string, unknown>
  }
  at[keys.at(-1) as string] = value
  return copy
}

describe('a change of one key', () => {
  test.each(Object.entries(CHANGES))('%s', (path, { to, told = path }) => {
    const change = compareSettings(load(BEFORE), load(changed(path, to)))
    const needsRestart = (key: string) =>
      [TOKEN, 'logging.file'].includes(key) || (key.startsWith('gateway.') && !key.startsWith('gateway.http.'))
    const keys = told.split(', ')
    expect(change).toEqual({ atOnce: keys.filter(key => !needsRestart(key)), restart: keys.filter(needsRestart) })
  })

  test('every used key was tried', () => {
    const tried = Object.keys(CHANGES).map(path =>
      path
        .replace('.p.', '.*.')
        .replace('.0.', '.*.')
        .replace(/^(tools\.cron|methods\.cron\.add)\./, first => `${first.split('.')[0]}.*.`),
    )
    expect([...tried, ...ELSEWHERE].sort()).toEqual([...USED_KEYS].sort())
  })
})

test('another password needs a restart, where one lets in', () => {
  const [one, other] = ['p', 'q'].map(letter => ({ gateway: { auth: { password: letter.repeat(20) } } }))
  const change = compareSettings(load(one as object), load(other as object))
  expect(change).toEqual({ atOnce: [], restart: ['gateway.auth.password'] })
})

test('equal settings have no change; a key that the environment overrides is none', () => {
  expect(compareSettings(load(BEFORE), load(BEFORE))).toEqual({ atOnce: [], restart: [] })
  const env = { SLUICE_GATEWAY_TOKEN: 'from-env', SLUICE_GATEWAY_PORT: '2' }
  const after = changed('gateway.port', 9)
  expect(compareSettings(load(BEFORE, env), load(after, env))).toEqual({ atOnce: [], restart: [] })
})
