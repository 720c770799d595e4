// The buttons under a chat's list of jobs, and those of a question that was answered: what a press does, once, for whom,
// and what is left of them.
import { afterEach, expect, test } from 'vitest'
import { type Loopback, loopback } from '../../src/channels/loopback/loopback.ts'
import { BEGIN_MS, settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const job = {
  name: 'stretch',
  schedule: { kind: 'every', everyMs: 3_600_000 },
  payload: { kind: 'message', text: 'stretch!' },
}
const makes: Play = ({ messages }) =>
  messages.at(-1)?.role === 'user' ? calls({ name: 'cron', args: { action: 'add', job } }) : text('I will')

async function house(play: Play, { actionBytesMax = 64, config = {}, world = {} } = {}) {
  const offers = { buttons: { actionBytesMax }, edits: { intervalMs: 1 } }
  const channel = loopback({ dedupesSends: false, offers })
  const one = await openHouse(play, { channels: [channel], config, world })
  open.push(one)
  return { one, channel }
}
let count = 0
const write = async (channel: Loopback, words: string, chatId = '1') => {
  count += 1
  await channel.say({ messageId: `m${count}`, chatId, from: { id: chatId }, text: words, atMs: BEGIN_MS })
  await settled()
}
const actionOf = ({ seen }: Loopback, label: RegExp) =>
  seen.flatMap(({ buttons = [] }) => buttons.flat()).findLast(button => label.test(button.label))?.action ?? ''
const press = async (channel: Loopback, label: RegExp, pressId: string) => {
  const told = await channel.press({ pressId, chatId: '1', from: { id: '1' }, action: actionOf(channel, label) })
  await settled()
  return told
}
async function listed(options = {}) {
  const { one, channel } = await house(makes, options)
  await write(channel, 'make it')
  await write(channel, '/jobs')
  const jobs = async () => (await one.call('cron.list', { includeDisabled: true })).jobs
  return { one, channel, jobs }
}
const shown = ({ seen }: Loopback) => seen.map(sighting => sighting.text)

test('T1: a job runs by a press, once for each, however often the press is handed on', async () => {
  const { channel } = await listed()
  expect(shown(channel).at(-1)).toMatch(/^- stretch: next /)
  expect(await press(channel, /^Run stretch/, 'p1')).toBe('It runs.')
  await press(channel, /^Run stretch/, 'p1')
  expect(shown(channel).filter(words => words.includes('stretch!'))).toHaveLength(1)
  await press(channel, /^Run stretch/, 'p2')
  expect(shown(channel).filter(words => words.includes('stretch!'))).toHaveLength(2)
})

test('a job is paused and goes on by presses; a press that is handed on late changes nothing again', async () => {
  const { channel, jobs } = await listed()
  expect(await press(channel, /^Pause/, 'p1')).toBe('Paused.')
  expect(await jobs()).toMatchObject([{ enabled: false }])
  await write(channel, '/jobs')
  const pause = { pressId: 'p1', chatId: '1', from: { id: '1' }, action: actionOf(channel, /^Pause/) }
  expect(await press(channel, /^Resume/, 'p2')).toBe('It goes on.')
  expect(await channel.press(pause)).toBe('Paused.')
  expect(await jobs()).toMatchObject([{ enabled: true }])
})

test('a job is removed by a second press alone', async () => {
  const { channel, jobs } = await listed()
  await press(channel, /^Remove/, 'p1')
  await press(channel, /^Remove/, 'p1')
  expect(await jobs()).toHaveLength(1)
  expect(shown(channel).filter(words => words.startsWith('Remove the job "stretch"'))).toHaveLength(1)
  expect(await press(channel, /^Yes, remove/, 'p2')).toBe('Removed.')
  expect(await jobs()).toEqual([])
  expect(await press(channel, /^Run/, 'p3')).toMatch(/no such job any more/)
})

test('a press of another chat does nothing to a job, whatever it says', async () => {
  const { channel, jobs } = await listed()
  const other = { chatId: '2', from: { id: '2' } }
  const removal = `job-remove:${(await jobs())[0]?.id}`
  for (const action of [...[/^Run/, /^Pause/, /^Remove/].map(label => actionOf(channel, label)), removal]) {
    expect(await channel.press({ pressId: action, action, ...other })).toMatch(/no such job/)
  }
  expect(await jobs()).toMatchObject([{ enabled: true }])
  expect(shown(channel)).toHaveLength(2)
})

test('each press calls one method, with the scope of that one alone', async () => {
  const { one, channel } = await listed()
  const asked: unknown[] = []
  const { call } = one.dispatcher
  one.dispatcher.call = (name, params, from) => {
    asked.push([name, [...from.caller.scopes]])
    return call.call(one.dispatcher, name, params, from)
  }
  for (const [at, label] of [/^Run/, /^Pause/, /^Remove/, /^Yes/].entries()) await press(channel, label, `p${at}`)
  expect(asked).toEqual([
    ['cron.run', ['operator.admin']],
    ['cron.update', ['operator.admin']],
    ['cron.remove', ['operator.admin']],
  ])
})

test('where the name of a job is too long for a button, there is none', async () => {
  const { channel } = await listed({ actionBytesMax: 12 })
  expect(shown(channel).at(-1)).toMatch(/^- stretch/)
  expect(channel.seen.map(({ buttons }) => buttons)).toEqual([undefined, undefined])
})

test.each(['a press', 'words', 'the end of the turn'])('the buttons of a question are gone after %s', async how => {
  const asking: Play = ({ messages }) =>
    messages.at(-1)?.role === 'user' ? calls({ name: 'exec', args: { command: 'git push' } }) : text('it is done')
  const processes = {
    find: async (name: string) => `/usr/bin/${name}`,
    run: async () => ({ exitCode: 0, signal: null, output: '', cut: 0 }),
  }
  const { one, channel } = await house(asking, {
    config: { tools: { exec: { security: 'allowlist' } } },
    world: { processes },
  })
  await write(channel, 'push it')
  expect(actionOf(channel, /^Yes/)).not.toBe('')
  const question = shown(channel)[0]
  if (how === 'a press') await press(channel, /^Yes/, 'p1')
  else await write(channel, how === 'words' ? 'yes' : '/stop')
  await one.clock.advance(10)
  expect(channel.seen[0]).toEqual({ messageId: expect.any(String), chatId: '1', text: question })
})
