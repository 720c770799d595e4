// What clients of the family ask for when they connect or show their pages: presence, the log's end, channels, exec
// approvals, and what there is none of.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PRESENCE_AGE_MS_MAX, PRESENCE_ENTRIES_MAX, Presence } from '../../src/access/presence.ts'
import { openLog } from '../../src/base/node/log.ts'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import { tailLog } from '../../src/methods/logs.ts'
import type { ConnectParams } from '../../src/protocol/connect.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { openHouse, text } from '../fakes/house.ts'

const client = (more: object = {}): ConnectParams => ({
  minProtocol: 3,
  maxProtocol: 3,
  client: { id: 'gateway-client', version: '1', platform: 'linux', mode: 'ui', ...more },
})
const who = (more: object = {}) => ({ params: client(more), scopes: new Set(['operator.read']), ip: '127.0.0.1' })

function presence() {
  const clock = new FakeClock()
  let told = 0
  const changed = () => {
    told += 1
  }
  const kept = new Presence({ clock, self: { host: 'here', mode: 'gateway', reason: 'self' }, changed })
  return { clock, kept, told: () => told, instances: () => kept.list().flatMap(({ instanceId }) => instanceId ?? []) }
}

test('presence: the gateway is first; connecting is not told, leaving is; what left goes after a while', async () => {
  const { clock, kept, told, instances } = presence()
  const leave = kept.joined('c1', who({ instanceId: 'a' }))
  expect(kept.list()).toMatchObject([
    { reason: 'self', mode: 'gateway', ts: clock.now() },
    { instanceId: 'a', reason: 'connect', mode: 'ui', scopes: ['operator.read'] },
  ])
  expect(told()).toBe(0)
  await clock.advance(2 * PRESENCE_AGE_MS_MAX)
  expect(instances()).toEqual(['a'])
  leave()
  expect([told(), kept.list()[1]?.reason]).toEqual([1, 'disconnect'])
  await clock.advance(PRESENCE_AGE_MS_MAX)
  expect(instances()).toEqual(['a'])
  await clock.advance(1)
  expect(instances()).toEqual([])
})

test('presence: two windows of one client are one entry until both have left; a one-shot command is none', () => {
  const { kept } = presence()
  const [first, second] = [kept.joined('c1', who({ instanceId: 'a' })), kept.joined('c2', who({ instanceId: 'a' }))]
  kept.joined('c3', who({ mode: 'cli' }))
  first()
  expect(kept.list().map(({ reason }) => reason)).toEqual(['self', 'connect'])
  second()
  expect(kept.list().map(({ reason }) => reason)).toEqual(['self', 'disconnect'])
})

test('presence: no more entries than the most there are, the newest kept', () => {
  const { kept, instances } = presence()
  for (let n = 0; n <= PRESENCE_ENTRIES_MAX; n += 1) kept.joined(`c${n}`, who({ instanceId: `i${n}` }))
  expect(kept.list()).toHaveLength(PRESENCE_ENTRIES_MAX)
  expect(instances()[0]).toBe(`i${PRESENCE_ENTRIES_MAX}`)
})

test('system-event: what a machine says of itself is shown and told; a beacon begins no turn, other words do', async () => {
  const house = await openHouse(() => text('noted'))
  try {
    await house.call('system-event', { text: 'Node: mac mini (10.0.0.2)', deviceId: 'd', host: 'mac', tags: ['ui'] })
    await house.call('system-event', { text: 'Node: mac mini', deviceId: 'd', lastInputSeconds: 3 })
    await settled()
    expect(await house.call('system-presence')).toMatchObject([
      { reason: 'self' },
      { deviceId: 'd', host: 'mac', lastInputSeconds: 3, tags: ['ui'], text: 'Node: mac mini' },
    ])
    const told = house.events.filter(({ event }) => event === 'presence')
    expect(told.map(({ stateVersion }) => stateVersion?.presence)).toEqual([1, 2])
    expect(house.store.read.sessionCount()).toBe(0)
    await house.call('system-event', { text: 'The door was opened.' })
    await settled()
    const inputs = house.store.read.entries('agent:main:main', 10).filter(({ body }) => body.kind === 'input')
    expect(inputs).toMatchObject([{ body: { text: expect.stringMatching(/^System: \[.*\] The door was opened\.$/) } }])
  } finally {
    await house.close()
  }
})

test('logs.tail: whatever is written between, every line is shown once and whole, in order', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'))
  const path = join(folder, 'log')
  const file = openLog(path, { level: 'info', bytesMax: 1_000_000, filesMax: 0 }).written
  try {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 12 }), fc.array(fc.nat(400)), (words, cuts) => {
        const lines = words.map((word, index) => `${index} ${word.replaceAll('\n', '·')} é`)
        const bytes = Buffer.from(lines.map(line => `${line}\n`).join(''))
        let cursor: number | undefined
        const seen: string[] = []
        for (const end of [...cuts.map(cut => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]) {
          writeFileSync(path, bytes.subarray(0, end))
          const tail = tailLog(file, { cursor: cursor ?? 0 })
          seen.push(...tail.lines)
          cursor = tail.cursor
        }
        expect(seen).toEqual(lines)
        expect(cursor).toBe(bytes.length)
      }),
      { numRuns: 60 },
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('logs.tail: says what was left out, and that the file began anew; no file is no fault', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'))
  const path = join(folder, 'log')
  const file = openLog(path, { level: 'info', bytesMax: 1_000_000, filesMax: 0 }).written
  try {
    expect(tailLog(file, {})).toEqual({ file: path, cursor: 0, size: 0, lines: [] })
    writeFileSync(path, 'one\ntwo\nthree\nhalf')
    expect(tailLog(file, {})).toEqual({ file: path, cursor: 14, size: 18, lines: ['one', 'two', 'three'] })
    expect(tailLog(file, { limit: 1 })).toEqual({ file: path, cursor: 14, size: 18, lines: ['three'] })
    expect(tailLog(file, { cursor: 0, limit: 1 })).toMatchObject({ lines: ['three'], truncated: true, cursor: 14 })
    expect(tailLog(file, { maxBytes: 12 })).toMatchObject({ lines: ['three'], truncated: true, cursor: 14 })
    truncateSync(path, 4)
    expect(tailLog(file, { cursor: 14 })).toEqual({ file: path, cursor: 4, size: 4, lines: ['one'], reset: true })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('L4: send owes a text to a chat of a channel, once by its key; a channel that is not there is refused by name', async () => {
  const line = loopback({ id: 'line', dedupesSends: true })
  const house = await openHouse(() => text(''), { channels: [line] })
  try {
    const asked = { to: 'chat', channel: 'line', message: 'hello', idempotencyKey: 'k' }
    const sent = await house.call('send', asked)
    expect(sent).toMatchObject({ runId: 'k', channel: 'line', chatId: 'chat' })
    await settled()
    expect(await house.call('send', asked)).toEqual(sent)
    await settled()
    expect(line.seen.map(({ chatId, text: words }) => [chatId, words])).toEqual([['chat', 'hello']])
    const elsewhere = { to: 'chat', message: 'hello', idempotencyKey: 'other' }
    await expect(house.call('send', elsewhere)).rejects.toThrow('unsupported channel: whatsapp')
    expect(await house.call('channels.status')).toMatchObject({
      channelOrder: ['line'],
      channels: { line: { running: true } },
    })
  } finally {
    await house.close()
  }
})

test('exec.approvals: the file is the config in another form; what it leaves out stays, a stale hash is refused', async () => {
  const exec = { security: 'allowlist', ask: 'off', allow: ['ls'] }
  const house = await openHouse(() => text(''), { config: { tools: { exec, deny: ['gateway'] } } })
  try {
    const { file, hash } = await house.call('exec.approvals.get')
    expect(file).toEqual({
      version: 1,
      defaults: { security: 'allowlist', ask: 'off' },
      agents: { main: { allowlist: [{ pattern: 'ls' }] } },
    })
    const wanted = { version: 1, agents: { main: { allowlist: [{ pattern: 'ls' }, { pattern: 'cat' }] } } }
    await house.call('exec.approvals.set', { file: wanted, baseHash: hash })
    expect(house.parts.settings().exec).toMatchObject({ ...exec, allow: ['ls', 'cat'] })
    expect(house.parts.settings().toolPolicy.deny).toEqual(['gateway'])
    await expect(house.call('exec.approvals.set', { file: wanted, baseHash: hash })).rejects.toThrow(/re-run/)
    const wrong = { version: 1, defaults: { security: 'all' } }
    await expect(house.call('exec.approvals.set', { file: wrong })).rejects.toThrow(/invalid exec.approvals.set params/)
  } finally {
    await house.close()
  }
})
