// The facts that programs see which are no clients of the protocol: the tools of agents, the CLI, and HTTP.
import { afterAll, beforeAll, expect } from 'vitest'
import { COMMANDS } from '../../src/cli/catalogue.ts'
import { type GatewayProcess, Scope } from '../e2e/gateway-process.ts'
import { settled } from '../fakes/clock.ts'
import { calls, openHouse, text } from '../fakes/house.ts'
import { HOOK_TOKEN, type HttpHouse, openHttpHouse } from '../transports/http-house.ts'
import { conformance } from './conformance.ts'

const scope = new Scope()
let gateway: GatewayProcess
let http: HttpHouse
beforeAll(async () => {
  gateway = await scope.gateway()
  http = await openHttpHouse(() => text('said'))
})
afterAll(async () => {
  await http.close()
  await scope.end()
})

/** What a turn is offered and what its tools answered, with everything switched on that is there. */
async function turnWith(...made: Parameters<typeof calls>) {
  const config = { tools: { exec: { security: 'full' }, web: { fetch: { enabled: true } } } }
  const asks = [calls(...made)]
  const house = await openHouse(() => asks.pop() ?? text('done'), { config })
  try {
    await house.call('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'hi' })
    await settled()
    const { descriptions } = house.parts.outside.toolboxOf({ sessionKey: 'agent:main:main', agentId: 'main' })
    const results = house.store.read
      .entries('agent:main:main', 50)
      .flatMap(({ body }) => (body.kind === 'result' ? [JSON.parse(body.text)] : []))
    return { descriptions, results }
  } finally {
    await house.close()
  }
}

const FAMILY_TOOLS = {
  cron: ['action', 'includeDisabled', 'job', 'jobId', 'id', 'patch', 'mode'],
  gateway: ['action', 'delayMs', 'reason', 'raw', 'baseHash', 'note', 'restartDelayMs'],
  sessions_list: ['kinds', 'limit', 'activeMinutes', 'messageLimit'],
  sessions_history: ['sessionKey', 'limit', 'includeTools'],
  sessions_send: ['sessionKey', 'label', 'message', 'timeoutSeconds'],
  sessions_spawn: ['task', 'label', 'agentId', 'model', 'thinking', 'runTimeoutSeconds', 'timeoutSeconds', 'cleanup'],
  session_status: ['sessionKey'],
  agents_list: [],
  exec: ['command', 'workdir', 'env', 'timeout'],
  web_fetch: ['url', 'maxChars'],
}

conformance('TOOL-1', async () => {
  const { descriptions } = await turnWith()
  expect(descriptions.map(({ name }) => name).sort()).toEqual(Object.keys(FAMILY_TOOLS).sort())
})

conformance('TOOL-2', async () => {
  const { descriptions } = await turnWith()
  for (const { name, parameters } of descriptions) {
    const { properties = {} } = parameters as { properties?: object }
    expect(Object.keys(properties), name).toEqual(
      expect.arrayContaining(FAMILY_TOOLS[name as keyof typeof FAMILY_TOOLS]),
    )
  }
})

conformance('TOOL-3', async () => {
  const { results } = await turnWith(
    { name: 'sessions_send', args: { sessionKey: 'other', message: 'hi', timeoutSeconds: 0 } },
    { name: 'sessions_spawn', args: { task: 'look' } },
  )
  expect(results).toEqual([
    { status: 'accepted', runId: expect.any(String), sessionKey: 'agent:main:other' },
    { status: 'accepted', runId: expect.any(String), childSessionKey: expect.stringMatching(/^agent:main:subagent:/) },
  ])
})

conformance('TOOL-4', async () => {
  const { results } = await turnWith({ name: 'cron', args: { action: 'remove' } })
  expect(results).toEqual([
    expect.objectContaining({ status: 'error', tool: 'cron', error: expect.stringContaining('jobId') }),
  ])
})

conformance('TOOL-5', async () => {
  const names = (await turnWith()).descriptions.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['read', 'write', 'edit', 'process', 'message', 'memory_search']))
})

conformance('TOOL-6', async () => {
  const cron = (await turnWith()).descriptions.find(({ name }) => name === 'cron')?.parameters as {
    properties: Record<string, { enum?: string[] }>
  }
  expect(cron.properties.action?.enum).toContain('wake')
})

const commandNames = COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases])
const flagsOf = (name: string) => Object.keys(COMMANDS.find(command => command.name === name)?.flags ?? {})

conformance('CLI-1', () => {
  const cron = ['status', 'list', 'add', 'create', 'edit', 'rm', 'remove', 'delete', 'enable', 'disable', 'runs', 'run']
  const devices = ['list', 'approve', 'reject', 'revoke']
  expect(commandNames).toEqual(
    expect.arrayContaining([
      ...cron.map(name => `cron ${name}`),
      ...devices.map(name => `devices ${name}`),
      ...['health', 'status', 'agent', 'logs', 'sessions', 'models', 'doctor', 'gateway health', 'gateway call'],
      ...['system event', 'system heartbeat', 'system presence', 'config get', 'config set', 'config unset'],
    ]),
  )
})

conformance('CLI-2', () => {
  const common = [
    ...['name', 'description', 'agent', 'session', 'wake', 'at', 'every', 'cron', 'tz', 'system-event', 'message'],
    ...['thinking', 'model', 'timeout-seconds', 'deliver', 'channel', 'to', 'best-effort-deliver', 'post-prefix'],
    ...['delete-after-run', 'url', 'token', 'timeout', 'json'],
  ]
  expect(flagsOf('cron add')).toEqual(expect.arrayContaining([...common, 'disabled', 'post-mode', 'post-max-chars']))
  expect(flagsOf('cron edit')).toEqual(
    expect.arrayContaining([...common, 'enable', 'disable', 'keep-after-run', 'clear-agent']),
  )
})

conformance('CLI-3', async () => {
  expect((await gateway.cli(['cron', 'list'])).stdout).toBe('No cron jobs.\n')
  const added = await gateway.cli([
    ...['cron', 'add', '--name', 'nightly', '--cron', '0 7 * * 1', '--tz', 'Europe/Berlin'],
    ...['--session', 'isolated', '--message', 'hey', '--json'],
  ])
  const { id } = JSON.parse(added.stdout)
  const [head, row] = (await gateway.cli(['cron', 'list'])).stdout.split('\n')
  expect(head?.trim().split(/\s+/)).toEqual(['ID', 'Name', 'Schedule', 'Next', 'Last', 'Status', 'Target', 'Agent'])
  expect(row).toMatch(new RegExp(`^${id} +nightly .*0 7 \\* \\* 1.* idle +isolated +default`))
})

conformance('CLI-4', async () => {
  expect(JSON.parse((await gateway.cli(['cron', 'status', '--json'])).stdout)).toMatchObject({ enabled: true })
  expect(JSON.parse((await gateway.cli(['gateway', 'call', 'health', '--json'])).stdout)).toMatchObject({ ok: true })
  const refused = await gateway.cli(['gateway', 'call', 'no.such'])
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('unknown method: no.such') })
})

conformance('CLI-5', async () => {
  const said = await gateway.cli(['system', 'event', '--text', 'The washing machine is done', '--mode', 'now'])
  expect(said).toMatchObject({ code: 0, stdout: 'The main session is told at its next free moment.\n' })
  const history = JSON.parse(
    (await gateway.cli(['gateway', 'call', 'chat.history', '--params', '{"sessionKey":"main"}', '--json'])).stdout,
  )
  expect(JSON.stringify(history)).toContain('The washing machine is done')
  expect((await gateway.cli(['system', 'event', '--text', ' '])).code).toBe(2)
  expect(JSON.parse((await gateway.cli(['system', 'heartbeat', 'last'])).stdout)).toBeNull()
  for (const [word, enabled] of [
    ['disable', false],
    ['enable', true],
  ] as const) {
    expect(JSON.parse((await gateway.cli(['system', 'heartbeat', word])).stdout)).toEqual({ ok: true, enabled })
  }
  expect(JSON.parse((await gateway.cli(['system', 'presence'])).stdout)[0]).toMatchObject({ reason: 'self' })
})

conformance('CLI-6', () => {
  expect(commandNames).toEqual(expect.arrayContaining(['nodes list', 'message send', 'skills list', 'memory status']))
})

const user = { role: 'user', content: 'hello' }

conformance('HTTP-1', async () => {
  const nothing = { headers: { authorization: '' }, body: {} }
  const refused = await http.ask('/v1/chat/completions', nothing)
  expect(refused).toMatchObject({ status: 401, json: { error: { message: 'Unauthorized', type: 'unauthorized' } } })
  const hook = await http.ask('/hooks/wake', nothing)
  expect([hook.status, hook.text, hook.headers.get('content-type')]).toEqual([
    ...[401, 'Unauthorized', expect.stringContaining('text/plain')],
  ])
})

conformance('HTTP-2', async () => {
  const answer = await http.ask('/v1/chat/completions', { method: 'PUT', body: {} })
  expect([answer.status, answer.text, answer.headers.get('allow')]).toEqual([405, 'Method Not Allowed', 'POST'])
})

conformance('HTTP-3', async () => {
  const { status, json } = await http.ask('/v1/chat/completions', { body: { messages: [user] } })
  expect(status).toBe(200)
  expect(json).toMatchObject({
    ...{ id: expect.stringMatching(/^chatcmpl_/), object: 'chat.completion', created: expect.any(Number) },
    choices: [{ index: 0, message: { role: 'assistant', content: 'said' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  })
  const streamed = await http.ask('/v1/chat/completions', { body: { messages: [user], stream: true } })
  const lines = streamed.text.split('\n').filter(line => line.startsWith('data: '))
  expect(lines.at(-1)).toBe('data: [DONE]')
  const [first, ...rest] = lines.slice(0, -1).map(line => JSON.parse(line.slice('data: '.length)))
  expect(first).toMatchObject({ object: 'chat.completion.chunk', choices: [{ delta: { role: 'assistant' } }] })
  expect(rest.map(({ choices }) => choices[0].delta.content ?? '').join('')).toBe('said')
  const missing = await http.ask('/v1/chat/completions', { body: { messages: [] } })
  expect([missing.status, missing.json.error]).toEqual([
    400,
    expect.objectContaining({ message: 'Missing user message in `messages`.', type: 'invalid_request_error' }),
  ])
})

conformance('HTTP-4', async () => {
  const { json } = await http.ask('/v1/responses', { body: { model: 'sluice', input: 'hello' } })
  expect(json).toMatchObject({
    ...{ id: expect.stringMatching(/^resp_/), object: 'response', created_at: expect.any(Number), status: 'completed' },
    output: [{ type: 'message', id: expect.stringMatching(/^msg_/), content: [{ type: 'output_text', text: 'said' }] }],
    usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
  })
})

conformance('HTTP-5', async () => {
  expect(await http.ask('/tools/invoke', { body: { tool: 'agents_list' } })).toMatchObject({
    ...{ status: 200, json: { ok: true, result: { content: [{ type: 'text' }], details: { defaultId: 'main' } } } },
  })
  expect(await http.ask('/tools/invoke', { body: { tool: 'x' } })).toMatchObject({
    ...{ status: 404, json: { ok: false, error: { type: 'not_found', message: 'Tool not available: x' } } },
  })
})

conformance('HTTP-6', async () => {
  const headers = { authorization: `Bearer ${HOOK_TOKEN}` }
  const hook = async (path: string, body: unknown) => {
    const { status, json } = await http.ask(`/hooks/${path}`, { body, headers })
    return [status, json]
  }
  expect(await hook('wake', { text: 'ring' })).toEqual([200, { ok: true, mode: 'now' }])
  expect(await hook('wake', {})).toEqual([400, { ok: false, error: 'text required' }])
  expect(await hook('agent', { message: 'look' })).toEqual([202, { ok: true, runId: expect.any(String) }])
  expect(await hook('wake', '{')).toEqual([400, { ok: false, error: expect.stringMatching(/^SyntaxError: /) }])
})

conformance('HTTP-7', async () => {
  const ask = (more: object, headers: Record<string, string> = {}) =>
    http.ask('/v1/chat/completions', { body: { messages: [user], ...more }, headers })
  await ask({}, { 'x-clawdbot-session-key': 'agent:main:by-header' })
  await ask({ user: 'anna' }, { 'x-clawdbot-agent-id': 'work' })
  for (const model of ['clawdbot:work', 'clawdbot/work', 'agent:work']) await ask({ model, user: model })
  const keys = http.store.read.sessions({ limit: 100 }).map(({ key }) => key)
  expect(keys).toEqual(
    expect.arrayContaining([
      ...['agent:main:by-header', 'agent:work:openai-user:anna', 'agent:work:openai-user:clawdbot:work'],
      ...['agent:work:openai-user:clawdbot/work', 'agent:work:openai-user:agent:work'],
    ]),
  )
})

conformance('HTTP-8', async () => {
  const page = await fetch(new URL('/chat', gateway.url.replace('ws:', 'http:')))
  expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
})
