// Updates by a webhook, end to end: the service posts them to a public name, which a proxy hands on to a real gateway as it
// came. What is no update of the service is not taken; what the gateway was away for is posted again.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SECRET_HEADER } from '../fakes/telegram/bot-api.ts'
import { Gate } from './scripted-model.ts'
import { sessionOf, TelegramRig } from './telegram-rig.ts'

const SECRET = 'a-secret_of-the-webhook'
const PATH = '/updates'
const rig = new TelegramRig()
const { api } = rig

beforeAll(async () => {
  api.proxied = ({ pathname }) => new URL(pathname, `http://127.0.0.1:${rig.gateway.port}`)
  const webhookUrl = `https://bot.example${PATH}`
  const config = { messages: { queue: { mode: 'followup' } } }
  await rig.open({ config, telegram: { webhookUrl, webhookSecret: SECRET, webhookPath: PATH } })
})
afterAll(() => rig.close())

const post = async (headers: Record<string, string>, body: string, path = PATH) => {
  const url = `http://127.0.0.1:${rig.gateway.port}${path}`
  return (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }))
    .status
}

test('L1 T4: what is posted is answered once, though the gateway dies in between and is away', async () => {
  const ada = api.person('Ada')
  await rig.fares(({ running }) => running)
  expect(api.hook).toEqual({ url: `https://bot.example${PATH}`, secret: SECRET })
  const gate = new Gate()
  rig.model.script(sessionOf(ada.id), gate.hold({ text: 'never said' }), { text: 'hello, Ada' }, { text: 'and again' })
  const { updateId } = ada.write('hello')
  await gate.reached
  await api.until(() => api.posts.some(posted => posted.updateId === updateId && posted.status === 200), 'the post')
  await rig.gateway.kill()
  const missed = ada.write('are you there?')
  await api.until(() => api.posts.some(posted => posted.updateId === missed.updateId), 'a post that nobody took')
  expect(api.posts.at(-1)).toEqual({ updateId: missed.updateId, status: 0 })
  await rig.gateway.start()
  await rig.told(ada.id, /and again/)
  expect(rig.texts(ada.id)).toEqual(['hello, Ada', 'and again'])
  gate.open()
  expect(api.count('getUpdates')).toBe(0)
})

test('without the secret nothing is taken, and what is no update is refused', async () => {
  const ada = api.person('Ada')
  const from = { id: ada.id, is_bot: false, first_name: 'Ada' }
  const message = { message_id: 1, date: 1, from, chat: { id: ada.id, type: 'private' }, text: 'forged' }
  const forged = JSON.stringify({ update_id: 1, message })
  expect(await post({}, forged)).toBe(401)
  expect(await post({ [SECRET_HEADER]: `${SECRET}x` }, forged)).toBe(401)
  expect(await post({ [SECRET_HEADER]: SECRET }, '{"update_id":"x"}')).toBe(400)
  expect(await post({ [SECRET_HEADER]: SECRET }, forged, '/elsewhere')).toBe(404)
  expect(rig.model.asks(sessionOf(ada.id))).toEqual([])
  rig.model.script(sessionOf(ada.id), ({ user }) => ({ text: `heard ${user}` }))
  expect(await post({ [SECRET_HEADER]: SECRET }, forged)).toBe(200)
  await rig.told(ada.id, /heard \[written \d+d .*ago\] forged/)
})
