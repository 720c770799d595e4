// What a person reads first.
import { expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { startupLines } from '../../src/config/startup-lines.ts'

const places = locate({}, '/nowhere')

function linesOf(config: object, from: { systemZone: string; model?: string }): string {
  const text = JSON.stringify(config)
  const settings = loadSettings({
    files: { readText: () => text, writePrivateText: () => undefined, ensurePrivateFolder: () => undefined },
    env: {},
    places,
    portOverride: undefined,
    systemZone: from.systemZone,
    isMethod: () => false,
  })
  const reach = 'Only this machine can reach it.'
  const started = {
    url: 'ws://127.0.0.1:1',
    reach,
    places,
    launcher: '/bin/sluice',
    version: '1.2.3',
    model: from.model,
  }
  return startupLines({ ...started, settings }).join('\n')
}

test('address, places, zone and the next command are told', () => {
  const lines = linesOf({ agents: { defaults: { userTimezone: 'Asia/Tokyo' } } }, { systemZone: 'UTC', model: 'p/m' })
  expect(lines).toContain('Sluice 1.2.3 is listening on ws://127.0.0.1:1\n')
  expect(lines).toContain('Page       http://127.0.0.1:1/\n')
  expect(lines).toContain(`State      ${places.stateDir}\n`)
  expect(lines).toContain('Time zone  Asia/Tokyo (from the config)\n')
  expect(lines).toContain('Model      p/m\n')
  expect(lines).toMatch(/ {2}\/bin\/sluice chat$/)
})

test('what somebody may not expect is told with what to do about it', () => {
  const lines = linesOf({ gatway: {} }, { systemZone: 'UTC' })
  expect(lines).toContain('To choose yours, put')
  expect(lines).toContain('the built-in offline model answers')
  expect(lines).toContain('ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY')
  expect(lines).toContain('Warning    config: gatway is not known; did you mean gateway?')
})
