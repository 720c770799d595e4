// L5 in the chat: after a lost connection what was missed is shown, in order, and nothing is shown twice; only what the
// gateway cannot tell any more is read anew.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Conversation, FakeGateway } from '../cli/fake-gateway.ts'
import { fakeGateway } from '../cli/fake-gateway.ts'
import { eventually, run, type TestShell, testShell, until } from '../cli/test-shell.ts'

const KEY = 'agent:main:main'
let gateway: FakeGateway
let shell: TestShell
let ended: Promise<number>
beforeEach(async () => {
  gateway = await fakeGateway()
  const session = { sessionKey: KEY, model: 'fake/m', zone: 'UTC', now: 'now', state: 'idle', runs: [] }
  gateway.answers('sessions.status', { ...session, inputTokens: 0, outputTokens: 0, unread: 0 })
  gateway.answers('chat.unread', { notices: [] })
  gateway.answers('approvals.list', { approvals: [] })
  gateway.answers('chat.markRead', { ok: true, marked: 1 })
  shell = testShell(gateway.url, { tty: true })
})
afterEach(async () => {
  shell.press('\u0015\u0004')
  await ended
  await gateway.close()
})

const about = { sessionKey: KEY, session: KEY, ts: 1 }
const agent = (runId: string, stream: string, data: object) => ({
  event: 'agent',
  payload: { ...about, runId, seq: 1, stream, data },
})
const said = (runId: string, text: string) => agent(runId, 'assistant', { text, delta: text })
const final = (runId: string, text: string) => ({
  event: 'chat',
  payload: { ...about, runId, seq: 1, state: 'final', message: { content: [{ type: 'text', text }] } },
})
const tell = ({ raw }: Pick<Conversation, 'raw'>, event: object, seq?: number) =>
  raw(JSON.stringify({ type: 'event', ...event, ...(seq !== undefined && { seq }) }))

/** The rows that a terminal would show now: what was drawn over is gone. */
function screen(): string[] {
  const rows: string[] = []
  let [row, column] = [0, 0]
  const above = () => (rows[row] ?? '').slice(0, column)
  const control: Readonly<Record<string, (count: number) => void>> = {
    A: count => {
      row -= count
    },
    C: count => {
      column += count
    },
    J: () => void rows.splice(row, rows.length, above()),
    '\n': () => {
      row += 1
    },
    '\r': () => {
      column = 0
    },
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it reads.
  for (const [token, count, letter] of shell.out.matchAll(/\u001b\[\??(\d*)([A-Za-z])|[\r\n]|[^\r\n\u001b]+/g)) {
    const known = control[letter ?? token]
    if (known) known(Number(count ?? 1) || 1)
    else if (letter === undefined) {
      rows[row] = above() + token
      column += token.length
    }
  }
  return rows.filter(text => text)
}

/** A chat in which a run has begun to answer, under the numbers 1 and 2. Answers the run. */
async function talk() {
  gateway.on('chat.send', conversation => {
    const runId = conversation.asked.params.idempotencyKey
    conversation.answer({ runId, status: 'started' })
    tell(conversation, agent(runId, 'lifecycle', { phase: 'start', startedAt: 1 }), 1)
    tell(conversation, agent(runId, 'tool', { phase: 'start', name: 'cron', toolCallId: 't1', args: {} }))
    tell(conversation, agent(runId, 'tool', { phase: 'result', name: 'cron', toolCallId: 't1', isError: false }), 2)
    tell(conversation, agent(runId, 'tool', { phase: 'start', name: 'exec', toolCallId: 't2', args: {} }))
    tell(conversation, said(runId, 'One. Tw'))
  })
  ended = run(shell, 'chat')
  await until(shell, '> ')
  shell.press('hello\r')
  await until(shell, 'One. Tw')
  // The last thing that a chat asks at its start.
  await eventually(() => expect(gateway.paramsOf('approvals.list')).toHaveLength(1))
  return gateway.asked.find(({ method }) => method === 'chat.send')?.params.idempotencyKey as string
}

const page = (events: object[], more: object = {}) => {
  const lastSeq = 2 + events.length
  return { events, nextSeq: lastSeq, lastSeq, more: false, oldestSeq: 1, live: [], ...more }
}

test('L5: a reply that ended meanwhile is shown to its end, once, and so is what came after it', async () => {
  const runId = await talk()
  const missed = [
    { ...agent(runId, 'tool', { phase: 'result', name: 'exec', toolCallId: 't2', isError: false }), seq: 3 },
    { ...final(runId, 'One. Two.'), seq: 4 },
    { ...final('r2', 'From elsewhere.'), seq: 5 },
  ]
  gateway.on('events.since', conversation => {
    // Told live while it is asked for, and after it was told.
    for (const { seq, ...event } of missed.slice(1)) tell(conversation, event, seq)
    conversation.answer(page(missed))
    for (const { seq, ...event } of missed) tell(conversation, event, seq)
    tell(conversation, final('r3', 'And now.'), 6)
  })
  const lists = () => gateway.asked.filter(({ method }) => ['sessions.status', 'chat.unread'].includes(method)).length
  const before = lists()
  gateway.dropAll()
  await until(shell, 'And now.')
  expect(gateway.paramsOf('events.since')).toEqual([{ seq: 2 }])
  expect(screen().slice(screen().indexOf('> hello') + 1, -1)).toEqual([
    '· cron ✓',
    'One. Tw',
    'The connection to the gateway was lost: service restart',
    'Connected again.',
    '· exec ✓',
    'o.',
    'From elsewhere.',
    'And now.',
  ])
  expect(lists()).toBe(before)
})

test('L5: a reply that goes on goes on where it was shown; a call under way is shown once', async () => {
  const runId = await talk()
  const tool = { toolCallId: 't2', name: 'exec', args: {} }
  const live = [{ ...about, runId, startedAt: 1, text: 'One. Two. Thr', tools: [tool] }]
  gateway.on('events.since', conversation => {
    tell(conversation, said(runId, 'One. Two.'))
    conversation.answer(page([], { live }))
    tell(conversation, said(runId, 'One. Two. Three.'))
    tell(conversation, final(runId, 'One. Two. Three.'), 3)
  })
  gateway.dropAll()
  await until(shell, 'o. Three.')
  expect(screen().slice(screen().indexOf('Connected again.') + 1, -1)).toEqual([
    'o. Three.',
    // Its result never came.
    '· exec ✗',
  ])
})

test('L5: what cannot be told any more is read anew', async () => {
  await talk()
  gateway.answers('events.since', page([], { tooOld: true, oldestSeq: 90, lastSeq: 99, nextSeq: 99 }))
  gateway.answers('chat.unread', {
    notices: [{ id: 'reply:x', sessionKey: KEY, text: 'the answer', source: 'reply', atMs: 1, createdAtMs: 1 }],
  })
  gateway.dropAll()
  await until(shell, 'the answer')
  expect(shell.out).toMatch(/Connected again\.[\s\S]*While you were away:[\s\S]*the answer/)
})
