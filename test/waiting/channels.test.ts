// The shape in which a chat's messages wait in the channel for a turn, on a real gateway with a real Telegram channel before
// a Bot API that is a script; and the way by which a person comes to talk there, with the real CLI.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Gate } from '../e2e/scripted-model.ts'
import { BotApi } from '../fakes/telegram/bot-api.ts'
import { House } from './house.ts'

const api = new BotApi()
const house = new House(1)
const owner = api.person('Ada', 'ada')
const other = api.person('Bob')
beforeAll(async () => {
  await api.up()
  const telegram = { botToken: api.token, apiRoot: api.apiRoot, allowFrom: [other.id], streamMode: 'off' }
  await house.open({ maxConcurrent: 1 }, { channels: { telegram } })
})
afterAll(async () => {
  await house.close()
  await api.down()
})

const texts = (chatId: number) => api.seen(chatId).map(({ text }) => text)
const told = (chatId: number, words: RegExp) =>
  api.until(() => texts(chatId).some(text => words.test(text)), `${words}`)

test('a person is let in by a code that the owner types, and hears an answer', async () => {
  owner.write('hello')
  await told(owner.id, /with this code/)
  const code = /^[A-Z2-9]{8}$/m.exec(texts(owner.id)[0] ?? '')?.[0] ?? ''
  const { stdout } = await house.gateway.cli(['pairing', 'approve', code])
  expect(stdout).toBe('Let in: Ada @ada, on telegram. They were told.\n')
  await told(owner.id, /let in/)
  house.model.script(`agent:main:telegram:${owner.id}`, { text: 'hello, Ada' })
  owner.write('hello again')
  await told(owner.id, /^hello, Ada$/)
  expect((await house.gateway.cli(['channels', 'status'])).stdout).toMatch(/telegram +running +slu_bot/)
})

test('WAIT-35 W7: while a turn of a chat runs and holds the only slot, its next messages and other chats are answered', async () => {
  const gate = await heldIn(owner.id, () => owner.write('work'))
  owner.write('and more')
  other.write('/status')
  await told(other.id, /Nothing runs here/)
  owner.write('/status')
  await told(owner.id, /A turn runs here[\s\S]*Waiting: 1/)
  owner.write('/stop')
  await told(owner.id, /^Stopped\.$/)
  expect(gate.isOpen).toBe(false)
  gate.open()
})

async function heldIn(chatId: number, begin: () => void) {
  const gate = new Gate()
  house.model.script(`agent:main:telegram:${chatId}`, gate.hold({ text: 'held' }))
  begin()
  await gate.reached
  return gate
}
