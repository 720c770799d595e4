// A config file that is edited by hand: what is right holds at once, what is wrong changes nothing and is said, and what a
// method has written is no news.
import { expect, test } from 'vitest'
import type { GatewayEvent } from '../../src/dispatch/event-hub.ts'
import { watchConfig } from '../../src/methods/config-watch.ts'
import { openRoom } from './config-room.ts'

const DEBOUNCE_MS = 300

function openWatched(text: string | undefined, around: Parameters<typeof openRoom>[2] = {}) {
  const room = openRoom(text, text, around)
  const events: GatewayEvent[] = []
  const logged: string[] = []
  let changed: () => void = () => undefined
  const watched = new Set<string>()
  const watch = watchConfig({
    parts: { clock: room.clock, control: room.control, settings: room.settings, publish: event => events.push(event) },
    log: (level, message) => void logged.push(`${level} ${message}`),
    watchFile: (path, listener) => {
      changed = listener
      watched.add(path)
      return { stop: () => watched.delete(path) }
    },
  })
  const begin = (next: string | undefined) => {
    room.state.text = next
    changed()
  }
  return {
    ...room,
    events,
    logged,
    watch,
    watched,
    begin,
    changed: async () => {
      changed()
      await room.clock.advance(DEBOUNCE_MS)
    },
    write: async (next: string | undefined) => {
      begin(next)
      await room.clock.advance(DEBOUNCE_MS)
    },
  }
}

test('what can be holds at once, the rest is named; neither restarts anything', async () => {
  const room = openWatched('{ gateway: { port: 1 } }')
  await room.clock.advance(DEBOUNCE_MS)
  expect([room.events, room.logged]).toEqual([[], []])
  await room.write('{ gateway: { port: 2 }, cron: { enabled: false } }')
  expect(room.settings()).toMatchObject({ cronEnabled: false })
  const payload = { ok: true, issues: [], applied: ['cron.enabled'], restartNeeded: ['gateway.port'], overridden: [] }
  expect(room.events).toMatchObject([{ event: 'config', payload }])
  expect(room.control.configState()).toEqual({ problem: undefined, restart: ['gateway.port'] })
  await room.clock.advance(60_000)
  expect(room.restarts).toEqual([])
  await room.write('{ gateway: { port: 1 }, cron: { enabled: false } }')
  expect(room.control.configState().restart).toEqual([])
})

test.each([
  ['{ gateway: ', ''],
  ['{ cron: { enabled: "no" } }', 'cron.enabled'],
  [undefined, ''],
  // As an editor leaves it that was stopped, or had no room.
  ['', ''],
])('wrong, the old settings hold, and it is said until it is right: %s', async (text, path) => {
  const before = '{ cron: { enabled: false } }'
  const room = openWatched(before)
  await room.clock.advance(DEBOUNCE_MS)
  const settings = room.settings()
  await room.write(text)
  expect(room.settings()).toBe(settings)
  const issues = [{ path, message: expect.any(String) }]
  expect(room.events).toMatchObject([{ event: 'config', payload: { ok: false, issues, applied: [] } }])
  expect(room.control.configState().problem).toEqual({ issues, sinceMs: room.clock.now() })
  expect(room.logged).toEqual(['error the config is wrong, so the settings from before hold'])
  await room.write(before)
  expect(room.events.at(-1)).toMatchObject({ payload: { ok: true, issues: [] } })
  expect(room.control.configState().problem).toBeUndefined()
  expect(room.settings()).toEqual(settings)
})

test('many writes of one save are looked at once, at their end', async () => {
  const room = openWatched('{}')
  await room.clock.advance(DEBOUNCE_MS)
  for (const text of ['', '{ cron', '{ cron: { enabled: fa']) {
    room.begin(text)
    await room.clock.advance(DEBOUNCE_MS - 1)
  }
  await room.write('{ cron: { enabled: false } }')
  expect(room.events).toMatchObject([{ payload: { ok: true, applied: ['cron.enabled'] } }])
})

test('what a method has written is no news; a key that the environment wins over is told', async () => {
  const room = openWatched('{}', { env: { SLUICE_GATEWAY_PORT: '7' } })
  await room.clock.advance(DEBOUNCE_MS)
  await room.patch('{ cron: { enabled: false } }')
  await room.write(room.state.text)
  expect(room.events).toEqual([])
  await room.write('{ gateway: { port: 9 }, cron: { enabled: false } }')
  expect(room.events).toMatchObject([
    { payload: { applied: [], restartNeeded: [], overridden: [{ key: 'gateway.port', by: 'SLUICE_GATEWAY_PORT' }] } },
  ])
})

test('a file changed between the start and the watch is seen; stopped, nothing is', async () => {
  const room = openWatched('{}')
  room.state.text = '{ cron: { enabled: false } }'
  await room.clock.advance(DEBOUNCE_MS)
  expect(room.settings().cronEnabled).toBe(false)
  room.state.text = '{}'
  room.watch.stop()
  await room.clock.advance(60_000)
  expect([room.settings().cronEnabled, room.watched.size]).toEqual([false, 0])
})

test('files that are included are watched like the file itself, also while one is missing or wrong', async () => {
  const main = "{ cron: { $include: '/srv/cron' }, tools: { $include: '/srv/tools' } }"
  const room = openWatched(main, { others: { '/srv/cron': '{}', '/srv/tools': '{}' } })
  const { others } = room.state
  const [path] = room.watched
  await room.changed()
  expect([...room.watched]).toEqual([path, '/srv/cron', '/srv/tools'])
  expect(room.events).toEqual([])
  others['/srv/cron'] = '{ enabled: false }'
  await room.changed()
  expect(room.settings()).toMatchObject({ cronEnabled: false })
  expect(room.events).toMatchObject([{ payload: { ok: true, applied: ['cron.enabled'] } }])
  delete others['/srv/cron']
  await room.changed()
  expect(room.control.configState().problem?.issues).toMatchObject([{ path: 'cron.$include' }])
  expect(room.settings()).toMatchObject({ cronEnabled: false })
  expect(room.watched).toContain('/srv/cron')
  others['/srv/cron'] = '{ enabled: true }'
  await room.changed()
  expect(room.control.configState().problem).toBeUndefined()
  expect(room.settings()).toMatchObject({ cronEnabled: true })
  await room.write("{ tools: { $include: '/srv/tools' } }")
  expect([...room.watched]).toEqual([path, '/srv/tools'])
  room.watch.stop()
  expect(room.watched.size).toBe(0)
})
