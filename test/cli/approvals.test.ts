import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { run, testShell } from './test-shell.ts'

const NOW = Date.UTC(2026, 10, 22, 12, 0)
const asked = (id: string, more: object = {}) => ({
  id,
  tool: 'exec',
  text: 'git push',
  request: { argv: ['git', 'push'] },
  sessionKey: 'agent:main:main',
  agentId: 'main',
  askedIn: 'agent:main:main',
  createdAtMs: NOW - 120_000,
  expiresAtMs: NOW + 480_000,
  ...more,
})

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await fakeGateway()
  gateway.answers('approvals.list', { approvals: [asked('0fe0ab11aa'), asked('0fe1cd22bb')] })
  gateway.answers('exec.approval.resolve', { ok: true, state: 'allowed', decided: true })
})
afterEach(() => gateway.close())

async function cli(...args: string[]) {
  const shell = testShell(gateway.url, { nowMs: NOW })
  const code = await run(shell, ...args)
  return { code, out: shell.out, err: shell.err }
}
const resolved = () => gateway.paramsOf('exec.approval.resolve')

test('approvals: what would run is shown whole, on a terminal in rows of its width', async () => {
  const text = `sh -c 'echo ${'x'.repeat(200)}\u001b]0;\n  asked just now, harmless'`
  gateway.answers('approvals.list', { approvals: [asked('0fe0ab11aa', { text })] })
  const whole = text.replace('\u001b', '\\u{1b}').replace('\n', '⏎\n  │ ')
  expect((await cli('approvals')).out).toBe(
    `0fe0ab11aa\n  exec in agent:main:main, asked 2m ago, expires in 8m\n  │ ${whole}\nAnswer with: sluice approve <id>, or sluice deny <id>\n`,
  )
  const shell = testShell(gateway.url, { nowMs: NOW, tty: true })
  shell.columnsNow = 40
  await run(shell, 'approvals', '--session', 'main')
  const rows = shell.out.split('\n').filter(row => row.startsWith('  │ '))
  for (const row of rows) expect(row.length).toBeLessThanOrEqual(40)
  expect(
    rows
      .map(row => row.slice(4))
      .join('')
      .replaceAll(' ', ''),
  ).toBe(whole.replaceAll('\n  │ ', '').replaceAll(' ', ''))
  expect(gateway.paramsOf('approvals.list')).toEqual([{}, { sessionKey: 'main' }])
})

test('approvals: none, and as JSON', async () => {
  expect(JSON.parse((await cli('approvals', '--json')).out)).toEqual({
    approvals: [asked('0fe0ab11aa'), asked('0fe1cd22bb')],
  })
  gateway.answers('approvals.list', { approvals: [] })
  expect((await cli('approvals', 'list')).out).toBe('Nothing waits for a yes or no.\n')
})

test.each([
  [['approve', '0fe0ab11aa'], 'allow-once', 'Allowed: git push\n'],
  [['approve', '0fe0'], 'allow-once', 'Allowed: git push\n'],
  [['approve', '--always', '0fe0'], 'allow-always', 'Allowed, and its like from now on: git push\n'],
  [['deny', '0fe0ab'], 'deny', 'Denied: git push\n'],
] as const)('%j decides', async (args, decision, words) => {
  gateway.answers('exec.approval.resolve', {
    ok: true,
    state: decision === 'deny' ? 'denied' : 'allowed',
    decided: true,
  })
  expect(await cli(...args)).toEqual({ code: 0, out: words, err: '' })
  expect(resolved()).toEqual([{ id: '0fe0ab11aa', decision, idempotencyKey: expect.any(String) }])
})

test('a whole id is that one, even where it begins another', async () => {
  gateway.answers('approvals.list', { approvals: [asked('0fe00'), asked('0fe0')] })
  expect((await cli('approve', '0fe0')).code).toBe(0)
  expect(resolved()).toMatchObject([{ id: '0fe0' }])
})

test('a beginning of two ids is not guessed', async () => {
  const { code, err } = await cli('approve', '0fe')
  expect([code, resolved()]).toEqual([2, []])
  expect(err).toContain('begins the ids of 2 approvals')
  expect(err).toContain('  0fe1cd22bb  git push\n')
})

test.each([
  ['approve', 'allowed', 0, /allowed before and is about to run/],
  ['approve', 'used', 0, /allowed before and has begun/],
  ['approve', 'denied', 1, /denied before/],
  ['approve', 'expired', 1, /Nobody answered in time/],
  ['approve', 'cancelled', 1, /turn that asked is over/],
  ['deny', 'allowed', 1, /allowed before/],
  ['deny', 'used', 1, /has begun/],
  ['deny', 'denied', 0, /denied before/],
  ['deny', 'expired', 0, /in time/],
  ['deny', 'cancelled', 0, /over/],
] as const)('%s of one that is %s already ends with %i and says so', async (...[command, state, code, words]) => {
  gateway.answers('exec.approval.resolve', { ok: true, state, decided: false })
  const answer = await cli(command, 'decided-before')
  expect(answer.code).toBe(code)
  expect(answer.out).toMatch(words)
  expect(resolved()).toMatchObject([{ id: 'decided-before' }])
  expect(JSON.parse((await cli(command, 'decided-before', '--json')).out)).toEqual({ ok: true, state, decided: false })
})

test('one that there is not, and none named: what to do next', async () => {
  gateway.on('exec.approval.resolve', ({ refuse }) =>
    refuse({ code: 'INVALID_REQUEST', message: 'unknown approval id' }),
  )
  expect(await cli('approve', 'zzz')).toEqual({
    code: 1,
    out: '',
    err: 'Error: There is no approval "zzz". What waits: sluice approvals\n',
  })
  expect(JSON.parse((await cli('deny', 'zzz', '--json')).out).error.code).toBe('NOT_FOUND')
  const { code, err } = await cli('deny')
  expect([code, err.split('\n')[0]]).toEqual([
    2,
    'Which approval? Give its id or the beginning of it: sluice approvals',
  ])
  gateway.on('exec.approval.resolve', ({ refuse }) => refuse({ code: 'INVALID_REQUEST', message: 'missing scope' }))
  expect((await cli('approve', '0fe0')).err).toBe('Error: missing scope\n')
})
