// `sluice logs`: the end of the log in plain lines, then what follows; no control character of it reaches the terminal.
import { expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { GatewayClient } from '../../src/client/client.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { run, testShell } from './test-shell.ts'

const line = (msg: string, more: object = {}) =>
  JSON.stringify({
    ...{ level: 40, time: '2026-11-22T09:00:00.000Z', msg },
    ...{ _meta: { logLevelName: 'WARN' }, 0: msg, ...more },
  })

function shellOn(answers: object[]) {
  const clock = new FakeClock()
  const shell = testShell('ws://nowhere', { clock })
  const asked: object[] = []
  const call = async (_: string, params: object) => {
    asked.push(params)
    const answer = answers.shift() ?? { cursor: 99, lines: [] }
    if (answer instanceof Error) throw answer
    return answer
  }
  shell.connect = async () => ({ call, close: () => undefined }) as unknown as GatewayClient
  return { shell, clock, asked }
}

test('shows the newest lines as text, or with --json as they are', async () => {
  const lines = [line('slow\u001b[2J', { ms: 7 }), 'not json']
  const { shell, asked } = shellOn([{ cursor: 5, lines }])
  expect(await run(shell, 'logs', '--limit', '2')).toBe(0)
  expect(asked).toEqual([{ limit: 2 }])
  expect(shell.out.split('\n').slice(0, 2)).toEqual([
    expect.stringMatching(/^2026-11-22T09:00:00\.000Z warn {1,2}slow ms=7$/),
    'not json',
  ])
  expect(shell.out).not.toContain('\u001b')
  const json = shellOn([{ cursor: 5, lines: [line('plain')] }])
  await run(json.shell, 'logs', '--json')
  expect(json.shell.out).toBe(`${line('plain')}\n`)
})

test('--follow asks from where it was, and ends with Ctrl-C', async () => {
  const { shell, clock, asked } = shellOn([
    { cursor: 5, lines: [line('one')] },
    { cursor: 9, lines: [line('two')] },
    { cursor: 3, lines: [line('three')], reset: true },
  ])
  const ended = run(shell, 'logs', '-f')
  await settled()
  await clock.advance(2_000)
  const all = { limit: 5_000, maxBytes: 1_000_000 }
  expect(asked).toEqual([{ limit: 200 }, { cursor: 5, ...all }, { cursor: 9, ...all }])
  expect(shell.out.match(/one|two|three/g)).toEqual(['one', 'two', 'three'])
  expect(shell.err).toContain('The log begins anew.')
  shell.interrupt()
  expect(await ended).toBe(0)
})

test('--follow on a terminal goes on over a restart of the gateway, and says once that it waits', async () => {
  const answers: object[] = [{ cursor: 5, lines: [line('one')] }]
  const { shell, clock, asked } = shellOn(answers)
  const terminal = { ...shell.stderr, isTTY: true }
  Object.assign(shell, { stderr: terminal })
  const connected = shell.connect
  const ended = run(shell, 'logs', '-f')
  await settled()
  await clock.advance(10_000)
  expect([shell.err, asked.length]).toEqual(['', 11])
  let refused = 0
  const lost = () => new SluiceError('UNAVAILABLE', 'The connection is closed.')
  shell.connect = async wishes => {
    refused += 1
    if (refused < 4) throw lost()
    return connected(wishes)
  }
  answers.push(lost())
  await clock.advance(10_000)
  expect(shell.err.match(/does not answer/g)).toHaveLength(1)
  expect(asked.at(-1)).toMatchObject({ cursor: 99 })
  shell.interrupt()
  expect(await ended).toBe(0)
})
