import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeClock } from '../fakes/clock.ts'
import { type Asked, type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { eventually, run, type TestShell, testShell, until } from './test-shell.ts'

const KEY = 'agent:main:main'
let gateway: FakeGateway
let shell: TestShell
beforeEach(async () => {
  gateway = await fakeGateway()
  scripted(gateway)
  shell = testShell(gateway.url, { tty: true })
})
afterEach(() => gateway.close())

function scripted(fake: FakeGateway): void {
  fake.answers('sessions.status', {
    sessionKey: KEY,
    model: 'fake/m',
    zone: 'UTC',
    now: 'now',
    state: 'idle',
    runs: [],
    inputTokens: 0,
    outputTokens: 0,
    unread: 0,
  })
  fake.answers('chat.unread', { notices: [] })
  fake.answers('approvals.list', { approvals: [] })
  fake.answers('chat.markRead', { ok: true, marked: 1 })
  fake.answers('chat.history', { sessionKey: KEY, messages: [], thinkingLevel: 'off' })
  fake.on('chat.send', ({ asked, answer }) => answer({ runId: asked.params.idempotencyKey, status: 'started' }))
  fake.answers('chat.abort', { ok: true, aborted: true, runIds: [] })
}

const sends = () => gateway.asked.filter(({ method }) => method === 'chat.send')
const assistant = (runId: string, text: string) =>
  gateway.event('agent', { runId, seq: 1, ts: 1, sessionKey: KEY, stream: 'assistant', data: { text, delta: text } })
const final = (runId: string, text: string, more: object = {}) =>
  gateway.event('chat', {
    runId,
    seq: 1,
    sessionKey: KEY,
    state: 'final',
    message: { role: 'assistant', content: [{ type: 'text', text }], timestamp: 1 },
    ...more,
  })
const marked = (id: string) => eventually(() => expect(gateway.paramsOf('chat.markRead')).toEqual([{ ids: [id] }]))
async function sent(count: number): Promise<Asked> {
  await eventually(() => expect(sends()).toHaveLength(count))
  return sends()[count - 1] as Asked
}

test('greets, shows what was missed, streams, and gives the terminal back', async () => {
  gateway.answers('chat.unread', {
    notices: [{ id: 'n1', sessionKey: KEY, text: 'stretch', source: 'cron', atMs: Date.now(), createdAtMs: 1 }],
  })
  const ended = run(shell, 'chat')
  await until(shell, 'stretch')
  expect(shell.out).toMatch(/agent:main:main · fake\/m[\s\S]*While you were away:/)
  await marked('n1')
  expect(shell.isRaw).toBe(true)
  shell.press('hel')
  shell.press('lo\r')
  const { params } = await sent(1)
  expect(params).toMatchObject({ sessionKey: KEY, message: 'hello' })
  assistant(params.idempotencyKey, 'Hi ')
  assistant(params.idempotencyKey, 'Hi there.\nSecond')
  await until(shell, 'Hi there.\r\n')
  shell.press('typed meanwhile')
  await until(shell, 'typed meanwhile')
  final(params.idempotencyKey, 'Hi there.\nSecond line')
  await until(shell, 'Second line\r\n')
  shell.press('\u0015\u0004')
  expect(await ended).toBe(0)
  expect(shell.isRaw).toBe(false)
  expect(shell.out).toContain('\u001b[?2004l')
})

test('a second message is queued below the reply, and written when its turn begins', async () => {
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('one\r')
  const first = (await sent(1)).params.idempotencyKey
  assistant(first, 'Answer')
  await until(shell, 'Answer')
  gateway.on('chat.send', ({ asked, answer }) =>
    answer({ runId: asked.params.idempotencyKey, status: 'started', ahead: 1 }),
  )
  shell.press('two\r')
  await until(shell, '> two (queued, 1 ahead)')
  final(first, 'Answer one')
  assistant((await sent(2)).params.idempotencyKey, 'Answer two')
  await until(shell, '> two\r\n')
  shell.press('\u0004')
  await ended
})

test('a second message that steers is read at the next step, written when it is, and answered with the first', async () => {
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('one\r')
  const first = (await sent(1)).params.idempotencyKey
  assistant(first, 'Answer')
  await until(shell, 'Answer')
  gateway.on('chat.send', ({ asked, answer }) =>
    answer({ runId: asked.params.idempotencyKey, status: 'started', ahead: 1, queueMode: 'steer' }),
  )
  shell.press('two\r')
  await until(shell, '> two (is read at the next step)')
  const second = (await sent(2)).params.idempotencyKey
  gateway.event('chat', { runId: second, seq: 1, sessionKey: KEY, state: 'final', mergedInto: first })
  await until(shell, '> two\r\n')
  final(first, 'Answer to both')
  await until(shell, 'to both\r\n')
  shell.press('\u0004')
  await ended
})

test('Ctrl-C: stops the reply that comes; clears the line; twice on nothing leaves', async () => {
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('one\r')
  const runId = (await sent(1)).params.idempotencyKey
  assistant(runId, 'Answer')
  await until(shell, 'Answer')
  gateway.on('chat.abort', ({ answer, event }) => {
    event('chat', { runId, seq: 2, sessionKey: KEY, state: 'aborted', stopReason: 'rpc' })
    answer({ ok: true, aborted: true, runIds: [runId] })
  })
  shell.press('kept\u0003')
  await until(shell, '· stopped')
  expect(gateway.paramsOf('chat.abort')).toEqual([{ sessionKey: KEY, runId }])
  shell.press('\u0003')
  shell.press('\u0003')
  await until(shell, 'Ctrl-C again leaves')
  shell.press('\u0003')
  expect(await ended).toBe(0)
})

test('a reminder arrives while idle, is marked as read, and does not touch what is typed', async () => {
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('half')
  final('n', 'stretch\u001b[2J', { notice: { id: 'n7', atMs: Date.UTC(2026, 0, 1, 14, 3), source: 'cron' } })
  await until(shell, '⏰ 14:03 stretch\r\n')
  shell.press('!\r')
  expect((await sent(1)).params.message).toBe('half!')
  await marked('n7')
  shell.press('/quit\r')
  await ended
})

test('a lost connection: only what was not acknowledged is sent again, with its key', async () => {
  const { port } = gateway
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('acknowledged\r')
  await sent(1)
  gateway.on('chat.send', () => undefined)
  shell.press('unheard\r')
  const { params } = await sent(2)
  await gateway.close()
  await until(shell, 'The connection to the gateway was lost')
  gateway = await fakeGateway({ port })
  scripted(gateway)
  await until(shell, 'Connected again.')
  expect((await sent(1)).params).toEqual(params)
  shell.press('/exit\r')
  await ended
})

test('after a restart it comes back by itself, and shows what was said and what was sent meanwhile', async () => {
  const { port } = gateway
  const clock = new FakeClock()
  shell = testShell(gateway.url, { tty: true, clock })
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  gateway.on('chat.send', ({ asked, answer }) =>
    answer({ runId: asked.params.idempotencyKey, status: 'started', ahead: sends().length - 1 }),
  )
  shell.press('one\rtwo\r')
  await until(shell, '> two (queued, 1 ahead)')
  gateway.on('chat.send', () => undefined)
  shell.press('three\r')
  const { params } = await sent(3)
  gateway.event('shutdown', { reason: 'gateway restarting', restartExpectedMs: 1500 })
  gateway.dropAll(1012, 'service restart')
  await until(shell, 'The gateway restarts…')
  await gateway.close()
  // No attempt but the first three comes to nothing: 0.5 s, 1 s and 2 s later, and then 4 s.
  const tries = vi.spyOn(shell, 'connect')
  for (const [index, retryMs] of [500, 1_000, 2_000].entries()) {
    await eventually(() => expect(clock.timers).toBe(1))
    await clock.advance(retryMs - 1)
    expect(tries).toHaveBeenCalledTimes(index)
    await clock.advance(1)
    expect(tries).toHaveBeenCalledTimes(index + 1)
  }
  gateway = await fakeGateway({ port })
  scripted(gateway)
  gateway.on('chat.send', ({ asked, answer }) => answer({ runId: asked.params.idempotencyKey, status: 'ok' }))
  gateway.answers('chat.unread', {
    notices: [
      { id: 'reply:x', sessionKey: KEY, text: 'answer two', source: 'reply', atMs: clock.now(), createdAtMs: 1 },
    ],
  })
  await eventually(() => expect(clock.timers).toBe(1))
  await clock.advance(4_000)
  await until(shell, 'answer two')
  expect(shell.out).toMatch(/Connected again\.[\s\S]*> two\r\n[\s\S]*While you were away:[\s\S]*answer two/)
  expect(shell.out.match(/The gateway restarts…/g)).toHaveLength(1)
  expect(shell.out).toContain('> three\r\n')
  expect(sends().map(each => each.params)).toEqual([params])
  shell.press('\u0004')
  await ended
})

test('W7: a question is shown whole and marked, the next message answers it, and how it ended is told', async () => {
  // Written so that a terminal would hide the second half of it.
  const text = `ls${' '.repeat(100)}\u001b]0;x; rm -rf ~\u0007\n? May ls run this?`
  const approvals = [{ ...question, id: 'a1', text, sessionKey: 'agent:main:task' }]
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  gateway.answers('approvals.list', { approvals })
  final('a1', 'ignored', { notice: { id: 'a1', atMs: 1, source: 'approval' } })
  await until(shell, 'your next message answers a1')
  const rows = shell.out.split('\r\n')
  const first = rows.findIndex(row => row.endsWith('? May exec in agent:main:task run this? (a1)'))
  const marked = rows.slice(first + 1).filter(row => row.startsWith('  │ '))
  // Nothing but spaces may get lost at the end of a row.
  const whole = marked.map(row => row.slice(4)).join('')
  expect(whole.replace(/ /g, '')).toBe('ls\\u{1b}]0;x;rm-rf~\\u{7}⏎?Maylsrunthis?')
  for (const row of marked) expect(row.length).toBeLessThan(80)
  expect(gateway.paramsOf('approvals.list').at(-1)).toEqual({ sessionKey: KEY })
  expect(gateway.paramsOf('chat.markRead')).toEqual([])

  // A turn that runs and asks does not hide what is typed until its end.
  assistant('r1', 'Let me look.')
  gateway.on('chat.send', ({ asked: { params }, answer, event }) => {
    event('exec.approval.resolved', { id: 'a1', decision: 'deny', resolvedBy: 'cli\u001b[2J', ts: 1 })
    answer({ runId: params.idempotencyKey, status: 'ok', approvals: [{ id: 'a1', state: 'denied' }] })
  })
  await until(shell, 'Let me look.')
  shell.press('no, not that\r')
  expect((await sent(1)).params.message).toBe('no, not that')
  await until(shell, '✗ denied by cli: ls')
  expect(shell.out).toMatch(/> no, not that\r\n[\s\S]*✗ denied by cli/)
  await until(shell, '… Ctrl-C stops')
  expect(shell.out.slice(shell.out.lastIndexOf('✗ denied'))).not.toContain('queued')
  shell.press('\u0015\u0004')
  await ended
})

/** Of a question, all but its id and what would run. */
const question = {
  tool: 'exec',
  request: {},
  agentId: 'main',
  sessionKey: KEY,
  askedIn: KEY,
  createdAtMs: 1,
  expiresAtMs: 2,
}

test('W7: a question that was asked while nobody listened is shown at the start, once, and not as news', async () => {
  const approvals = ['a1', 'a2'].map(id => ({ ...question, id, text: `run ${id}` }))
  gateway.answers('approvals.list', { approvals })
  gateway.answers('chat.unread', {
    notices: [{ id: 'a1', sessionKey: KEY, text: 'May exec run this?', source: 'approval', atMs: 1, createdAtMs: 1 }],
  })
  const ended = run(shell, 'chat')
  await until(shell, '2 questions are open: yes <id>, or no to all')
  gateway.event('exec.approval.resolved', { id: 'a2', decision: null, resolvedBy: null, ts: 1 })
  await until(shell, 'your next message answers a1')
  expect(shell.out).toContain('· not answered: time is over, or the turn that asked: run a2\r\n')
  final('a1', 'ignored', { notice: { id: 'a1', atMs: 1, source: 'approval' } })
  await eventually(() => expect(gateway.paramsOf('approvals.list')).toHaveLength(2))
  shell.press('x')
  await until(shell, '> x')
  expect(shell.out.match(/ {2}│ run a1\r\n/g)).toHaveLength(1)
  expect(shell.out).not.toContain('While you were away')
  shell.press('\u0015\u0004')
  await ended
})

test('a change of width redraws within it', async () => {
  const ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('x'.repeat(70))
  await until(shell, 'x'.repeat(70))
  const before = shell.out.length
  shell.resize(40)
  expect(shell.out.slice(before)).toContain('\u001b[1A\u001b[J')
  for (const line of shell.out.slice(before).split('\r\n')) expect(line.match(/x+/)?.[0].length ?? 0).toBeLessThan(40)
  shell.press('\u0015\u0004')
  await ended
})

test('commands: status, new, help, unknown', async () => {
  gateway.answers('sessions.reset', { ok: true, key: KEY, entry: { sessionId: 's' } })
  gateway.answers('sessions.compact', { ok: true, key: KEY, compacted: false, reason: 'no transcript' })
  const ended = run(shell, 'chat', '--session', 'main')
  await until(shell, '> ')
  for (const [typed, shown] of [
    ['/status', 'model    fake/m'],
    ['/new', 'A new conversation'],
    ['/compact', 'Nothing was summarised: no transcript.'],
    ['/help', '/status'],
    ['/stpo', 'Did you mean /stop'],
  ] as const) {
    shell.press(`${typed}\r`)
    await until(shell, shown)
  }
  expect(sends()).toEqual([])
  shell.press('/quit\r')
  await ended
})

test('without a terminal: lines in, replies out, ends after the last', async () => {
  gateway.on('agent', ({ asked, answer }) => {
    answer({ runId: 'r', status: 'accepted' })
    answer({ runId: 'r', status: 'ok', result: { payloads: [{ text: `re: ${asked.params.message}\u001b[1m` }] } })
  })
  const piped = testShell(gateway.url)
  piped.press('one\ntwo\r\n\nthr')
  piped.press('ee')
  piped.endInput()
  expect(await run(piped, 'chat')).toBe(0)
  expect(piped.out).toBe('re: one\nre: two\nre: three\n')
})

test('without a terminal a question names the commands that answer it', async () => {
  gateway.on('agent', ({ asked: { params }, answer }) => {
    final('a1', 'ignored', { notice: { id: 'a1', atMs: 1, source: 'approval' } })
    gateway.on('approvals.list', list => {
      list.answer({ approvals: [{ ...question, id: 'a1', text: 'ls \u001b[2J' }] })
      answer({ runId: 'r', status: 'ok', result: { payloads: [{ text: `re: ${params.message}` }] } })
    })
  })
  const piped = testShell(gateway.url)
  piped.press('one\n')
  piped.endInput()
  expect(await run(piped, 'chat')).toBe(0)
  expect([piped.out, piped.err]).toEqual([
    're: one\n',
    '? May exec run this? (a1)\n  │ ls \\u{1b}[2J\nAnswer with: sluice approve a1, or sluice deny a1\n',
  ])
})
