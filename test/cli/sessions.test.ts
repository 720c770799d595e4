// `sluice sessions ...` against a gateway that answers what the test says.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { run, testShell } from './test-shell.ts'

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await fakeGateway()
})
afterEach(() => gateway.close())

async function sluice(...args: string[]) {
  const shell = testShell(gateway.url, { nowMs: Date.UTC(2026, 10, 22), tty: false })
  const code = await run(shell, 'sessions', ...args)
  return { code, out: shell.out, err: shell.err }
}
const KEY = 'agent:main:a'

describe('sluice sessions', () => {
  test('show: each side of the talk, calls and results in one line each, and nothing that moves a terminal', async () => {
    gateway.answers('chat.history', {
      sessionKey: 'a',
      sessionId: 's',
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'list\u001b[2J jobs' }], timestamp: 1 },
        {
          role: 'assistant',
          content: [{ type: 'toolCall', name: 'cron', arguments: { action: 'list' } }],
          timestamp: 2,
        },
        { role: 'toolResult', content: [{ type: 'text', text: 'none\nat all' }], timestamp: 3 },
        { role: 'assistant', content: [{ type: 'text', text: 'There are none.' }], timestamp: 4 },
      ],
    } as never)
    const { code, out } = await sluice('show', 'a')
    expect(code).toBe(0)
    expect(out).not.toContain('\u001b')
    expect(out).toMatch(/^> list.*jobs\n· cron \{"action":"list"\}\n {2}none.at all\nThere are none\.\n$/)
  })

  test('show and rm of a session that is not there say so, and how to find one', async () => {
    gateway.answers('chat.history', { sessionKey: 'b', messages: [] })
    gateway.answers('sessions.delete', { ok: true, key: 'agent:main:b', deleted: false, archived: [] })
    for (const command of ['show', 'rm']) {
      const { code, err } = await sluice(command, 'b')
      expect(code).toBe(1)
      expect(err).toMatch(/There is no session ".*b"\. Which there are: sluice sessions/)
    }
  })

  test('set: what is given is set, an empty text takes it back, and a mode that is none is a usage error', async () => {
    gateway.answers('sessions.patch', { ok: true, path: '', key: KEY, entry: { sessionId: 's', updatedAt: 1 } })
    expect(await sluice('set', 'a', '--label', 'Work', '--queue', 'collect')).toMatchObject({
      code: 0,
      out: `Set for ${KEY}: label, queueMode\n`,
    })
    await sluice('set', 'a', '--model', '')
    expect(gateway.paramsOf('sessions.patch').map(({ idempotencyKey: _, ...params }) => params)).toEqual([
      { key: 'a', label: 'Work', queueMode: 'collect' },
      { key: 'a', model: null },
    ])
    expect((await sluice('set', 'a', '--queue', 'later')).code).toBe(2)
    expect((await sluice('set', 'a')).code).toBe(2)
    expect((await sluice('show')).code).toBe(2)
  })
})
