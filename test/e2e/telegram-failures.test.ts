// What goes wrong around a real gateway with a Telegram channel: it is killed at the worst moments, the network is away,
// the service refuses. What people see of it is: each message answered once, or said that it is not known.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelAsk } from '../fakes/model-server.ts'
import { tooMany } from '../fakes/telegram/bot-api.ts'
import { Gate, type Step } from './scripted-model.ts'
import { sessionOf, TelegramRig } from './telegram-rig.ts'

const rig = new TelegramRig()
const { api } = rig
beforeAll(() => rig.open())
afterAll(() => rig.close())

const echo: Step = ({ user }) => ({ text: user })
const script = (chatId: number, ...steps: Step[]) => rig.model.script(sessionOf(chatId), ...steps)
const isRunning = ({ running }: { running: boolean }) => running

describe('killed', () => {
  test('T4, L1: between receiving and answering: after the start there is one answer', async () => {
    const ada = api.person('Ada')
    const gate = new Gate()
    script(ada.id, gate.hold({ text: 'never said' }), { text: 'said once' })
    await api.until(() => api.isPolled, 'the poll')
    // The question that would confirm the update has no answer, so the service hands it out again after the start.
    api.meets({ method: 'getUpdates', kind: 'hang', when: 'before' })
    const { updateId } = ada.write('hello')
    await gate.reached
    expect(api.unconfirmed).toContain(updateId)
    await rig.diesAndStarts()
    await rig.told(ada.id, /said once/)
    await rig.taken({ updateId })
    script(ada.id, echo)
    ada.write('and then?')
    await rig.told(ada.id, /and then/)
    expect(rig.texts(ada.id)).toEqual(['said once', 'and then?'])
    const { messages } = rig.model.asks(sessionOf(ada.id)).at(-1) as ModelAsk
    const said = messages.filter(({ role }) => role === 'user').map(({ content }) => content)
    expect(said).toEqual([expect.stringContaining('hello'), expect.stringContaining('and then?')])
    gate.open()
  })

  test('L4: between sending and marking: its person is told once that it is not known, and has it sent again', async () => {
    const ada = api.person('Ada')
    script(ada.id, { text: 'the answer' })
    api.meets({ method: 'sendMessage', kind: 'hang', when: 'after' })
    ada.write('hello')
    await rig.told(ada.id, /the answer/)
    await rig.diesAndStarts()
    const { text } = await rig.told(ada.id, /\/resend \S+/)
    expect(rig.texts(ada.id)).toEqual(['the answer', text])
    ada.write(/\/resend \S+/.exec(text)?.[0] ?? '')
    await api.until(() => rig.texts(ada.id).at(-1) === 'the answer', 'the answer once more')
    expect(rig.texts(ada.id)).toEqual(['the answer', text, 'the answer'])
  })
})

test('L4: while the network is away what is owed waits, what people write waits there, and all comes through once', async () => {
  const [ada, bob] = [api.person('Ada'), api.person('Bob')]
  const gate = new Gate()
  script(ada.id, gate.hold({ text: 'the answer' }))
  ada.write('hello')
  await gate.reached
  await rig.fares(isRunning)
  await api.down()
  const { phase, lastError } = await rig.fares(({ running }) => !running)
  expect([phase, lastError]).toEqual(['offline', expect.any(String)])
  gate.open()
  script(bob.id, echo)
  bob.write('are you there?')
  await rig.client.events.until('the end of the turn', ({ event, payload }) => {
    const { session, state } = payload as { session?: string; state?: string }
    return event === 'chat' && session === sessionOf(ada.id) && state === 'final'
  })
  expect((await rig.client.call('outbox.list', {})).sends).toMatchObject([{ text: 'the answer' }])
  await api.up()
  await rig.fares(isRunning)
  await rig.told(ada.id, /the answer/)
  await rig.told(bob.id, /are you there/)
  expect([rig.texts(ada.id), rig.texts(bob.id)]).toEqual([['the answer'], ['are you there?']])
})

test('429: it is left alone for as long as it asks, then says the same once', async () => {
  const ada = api.person('Ada')
  script(ada.id, { text: 'the answer' })
  api.meets(tooMany(1, 'sendMessage'))
  ada.write('hello')
  await rig.told(ada.id, /the answer/)
  const sent = api.calls.filter(({ method, params }) => method === 'sendmessage' && params.chat_id === ada.id)
  expect(sent).toHaveLength(2)
  expect(rig.texts(ada.id)).toEqual(['the answer'])
})

test('409: of two gateways that poll one bot the one that is sent away says what to do, and serves all else', async () => {
  await rig.fares(isRunning)
  await api.until(() => api.isPolled, 'the poll of the first')
  const other = await rig.scope.gateway({ config: { channels: { telegram: rig.telegram({}) } } })
  const { phase, lastError } = await rig.fares(({ running }) => !running)
  expect(phase).toBe('failed')
  expect(lastError).toMatch(/Another program takes this bot's messages: stop it, or give this gateway a bot of its own/)
  expect(await rig.client.call('health', {})).toMatchObject({ ok: true, channels: { telegram: { running: false } } })
  expect((await rig.gateway.cli(['channels', 'status'])).stdout).toMatch(/telegram +failed[\s\S]*a bot of its own/)
  expect((await rig.fares(isRunning, await other.client())).account).toBe('slu_bot')
  await other.stop()
})

test('401: a token that nobody knows is said with what to do, at the start and later', async () => {
  const wrong = `${api.token}-wrong`
  const lost = await rig.scope.gateway({ config: { channels: { telegram: rig.telegram({ botToken: wrong }) } } })
  const client = await lost.client()
  const { phase, lastError } = await rig.fares(({ lastError }) => lastError !== null, client)
  expect(phase).toBe('failed')
  expect(lastError).toMatch(/Telegram does not know this token\. Ask @BotFather for the right one/)
  expect(await client.call('cron.list', {})).toMatchObject({ jobs: [] })
  await lost.stop()
  expect(`${lost.output}${JSON.stringify(lost.log())}`).not.toContain(wrong)
})
