// The unit of a gateway as a service: what it says, where it goes, and what is not written over.
import { expect, test } from 'vitest'
import type { Files } from '../../src/base/world.ts'
import { locate } from '../../src/config/locate.ts'
import { type ServiceAround, serviceOf } from '../../src/maintenance/service.ts'

function filesOf(texts: Map<string, string>): Files {
  return {
    readText: path => texts.get(path),
    writePrivateText: (path, text) => void texts.set(path, text),
    ensurePrivateFolder: () => undefined,
  }
}

function around(env: Record<string, string> = {}, more: Partial<ServiceAround> = {}) {
  const texts = new Map<string, string>()
  const home = '/home/you/x'
  const parts = { platform: 'linux', env, home, places: locate(env, home), files: filesOf(texts) }
  return { texts, parts: { ...parts, launcher: '/opt/sluice/bin/sluice', ...more } }
}

/** What systemd makes of a quoted word: escapes and doubled specifiers undone. */
const read = (word = '') => word.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1').replaceAll('%%', '%')

test('the unit starts this launcher on the state folder of the environment, and is written where systemd looks', () => {
  const { texts, parts } = around()
  const service = serviceOf(parts, undefined)
  expect(service.present).toBeUndefined()
  service.write()
  const text = texts.get('/home/you/x/.config/systemd/user/sluice.service')
  expect(text?.split('\n')).toEqual(
    expect.arrayContaining([
      'ExecStart="/opt/sluice/bin/sluice" gateway',
      'Environment="SLUICE_STATE_DIR=/home/you/x/.sluice"',
      'EnvironmentFile=-/home/you/x/.sluice/service.env',
      'Restart=on-failure',
      'WantedBy=default.target',
    ]),
  )
  expect(serviceOf(parts, undefined).present).toBe(text)
})

test('a second gateway has a unit of its own, with the places and the port of its environment', () => {
  const env = { SLUICE_STATE_DIR: '/srv/two', SLUICE_GATEWAY_PORT: '18790', XDG_CONFIG_HOME: '/srv/config' }
  const { path, text } = serviceOf(around(env).parts, 'two')
  expect(path).toBe('/srv/config/systemd/user/sluice-two.service')
  expect(text).toContain('Environment="SLUICE_STATE_DIR=/srv/two"')
  expect(text).toContain('Environment="SLUICE_GATEWAY_PORT=18790"')
})

test('no secret of the environment comes into the unit', () => {
  const env = { SLUICE_GATEWAY_TOKEN: 'hush-1', TELEGRAM_BOT_TOKEN: 'hush-2', ANTHROPIC_API_KEY: 'hush-3' }
  expect(serviceOf(around(env).parts, undefined).text).not.toContain('hush')
})

test('spaces, quotes, backslashes and percent signs of a path are read as they are', () => {
  const stateDir = '/srv/a "b" 100%\\c'
  const { text } = serviceOf(around({ SLUICE_STATE_DIR: stateDir }).parts, undefined)
  const [, setting] = /^Environment=(.*)$/m.exec(text) ?? []
  expect(read(setting)).toBe(`SLUICE_STATE_DIR=${stateDir}`)
})

test.each([
  { what: 'a line break in a path', env: { SLUICE_STATE_DIR: '/srv/a\nExecStart=/bin/evil' }, words: /line break/ },
  { what: 'a state folder that is no full path', env: { SLUICE_STATE_DIR: 'state' }, words: /no full path/ },
  { what: 'a name that is a path', name: '../evil', words: /is no name/ },
  { what: 'a system without systemd', platform: 'darwin', words: /of no use on darwin/ },
])('$what is refused', ({ env = {}, platform = 'linux', name, words }) => {
  expect(() => serviceOf(around(env, { platform }).parts, name)).toThrow(words)
})
