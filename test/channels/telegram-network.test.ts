// What Telegram and the network do to the way in: nothing is confirmed before it is on disk, nobody waits for anybody
// else, and every failure is a state and a pause.
import { expect, onTestFinished, test } from 'vitest'
import type { InboundMessage } from '../../src/channels/port.ts'
import { FakeClock } from '../fakes/clock.ts'
import { BotApi, type Fault, tooMany } from '../fakes/telegram/bot-api.ts'
import { type Opened, type OpenOptions, open, SECRET, serveWebhook } from './telegram-rig.ts'

const MINUTE = 60_000

async function opened(options: OpenOptions = {}): Promise<Opened> {
  const rig = await open(options)
  onTestFinished(rig.close)
  return rig
}

async function running(options: OpenOptions = {}): Promise<Opened> {
  const rig = await opened(options)
  await rig.start()
  await rig.api.until(() => rig.api.isPolled, 'a poll')
  return rig
}

const phases = ({ states }: Opened) => states.map(({ phase }) => phase)
const texts = ({ taken }: Opened) => taken.map(({ text }) => text)

test('L1: an update is confirmed only once it is on disk; what is handed on again is the same message', async () => {
  const tries: string[] = []
  let disk: 'works' | 'full' = 'full'
  const rig = await running({
    inbound: async ({ messageId }) => {
      tries.push(messageId)
      if (disk === 'full') throw new Error('disk full')
    },
  })
  const ann = rig.api.person('Ann')
  const { updateId } = ann.write('one')
  const second = ann.write('two')
  await rig.passUntil(() => tries.length >= 3, 'three tries')
  expect(rig.api.unconfirmed).toEqual([updateId, second.updateId])
  expect(new Set(tries).size).toBe(1)
  disk = 'works'
  await rig.passUntil(() => rig.api.unconfirmed.length === 0, 'both to be confirmed')
  expect(texts(rig)).toEqual(['one', 'two'])
})

test('W2: a chat that waits holds up no other chat and no button, not even its own; its order stays', async () => {
  const held = Promise.withResolvers<void>()
  const rig = await running({ inbound: async ({ text }) => void (text === 'wait' && (await held.promise)) })
  const { api } = rig
  const [ann, bob] = [api.person('Ann'), api.person('Bob')]
  const buttons = [[{ label: 'Yes', action: 'y' }]]
  await rig.channel.send({ id: 's1', chatId: String(ann.id), text: 'May I?', buttons }, new AbortController().signal)
  const waiting = ann.write('wait')
  ann.write('then')
  for (let count = 0; count < 20; count += 1) bob.write(`b${count}`)
  const { note } = ann.press('Yes')
  await rig.passUntil(() => rig.taken.length === 20 && rig.presses.length === 1, 'all but the chat that waits')
  await note
  bob.write('later')
  await rig.passUntil(() => rig.taken.length === 21, 'what came later')
  expect(texts(rig)).toEqual([...Array.from({ length: 20 }, (_, count) => `b${count}`), 'later'])
  expect(api.unconfirmed[0]).toBe(waiting.updateId)
  // Asked again from there, now and then, and never in a loop that is busy.
  const before = api.count('getUpdates')
  await rig.clock.advance(10_000)
  expect(api.count('getUpdates') - before).toBeLessThanOrEqual(21)
  held.resolve()
  await rig.passUntil(() => api.unconfirmed.length === 0, 'all to be confirmed')
  expect(texts(rig).slice(-2)).toEqual(['wait', 'then'])
  expect(rig.taken.length).toBe(23)
})

test('what is under way at once is bounded, and 500 chats come through once each', async () => {
  let [underWay, most] = [0, 0]
  const rig = await running({
    inbound: async () => {
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise(resolve => setImmediate(resolve))
      underWay -= 1
    },
  })
  for (let count = 0; count < 500; count += 1) rig.api.person(`P${count}`).write(`m${count}`)
  await rig.passUntil(() => rig.api.unconfirmed.length === 0, 'all to be confirmed')
  expect(new Set(texts(rig)).size).toBe(500)
  expect(rig.taken.length).toBe(500)
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(100)
})

test('W7: a stop ends the poll at once and waits for nobody; what was not on disk comes again', async () => {
  const held = Promise.withResolvers<void>()
  const rig = await running({ inbound: () => held.promise })
  const ann = rig.api.person('Ann')
  const { updateId } = ann.write('wait')
  await rig.passUntil(() => rig.api.count('getUpdates') > 3, 'a repeated poll')
  await rig.channel.stop()
  await rig.channel.stop()
  expect(rig.states.at(-1)?.phase).toBe('stopped')
  expect(rig.clock.timers).toBe(0)
  held.resolve()
  const { length } = rig.states
  const again = await running({ api: rig.api })
  await again.passUntil(() => again.taken.length === 1, 'the message once more')
  expect(again.taken).toMatchObject([{ text: 'wait' }])
  await again.passUntil(() => !rig.api.unconfirmed.includes(updateId), 'it to be confirmed')
  expect(rig.states.length).toBe(length)
})

test('an hour offline: said, tried about once a minute, and nothing is lost', async () => {
  let [tries, isAway] = [0, false]
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' })
  const counted: typeof fetch = async (input, init) => {
    tries += 1
    // At once, so that what passes meanwhile is the time of the test alone.
    if (isAway) throw new TypeError('fetch failed', { cause: refused })
    return await fetch(input, init)
  }
  const rig = await running({ fetch: counted })
  isAway = true
  await rig.api.down()
  await rig.passUntil(() => phases(rig).includes('offline'), 'the state')
  const before = tries
  const startMs = rig.clock.now()
  while (rig.clock.now() < startMs + 60 * MINUTE) await rig.clock.advance(10_000)
  expect(tries - before).toBeGreaterThan(20)
  expect(tries - before).toBeLessThan(75)
  expect(rig.logged).toEqual([])
  expect(phases(rig).filter(phase => phase === 'offline').length).toBeLessThanOrEqual(2)
  expect(rig.states.at(-1)).toMatchObject({
    ...{ phase: 'offline', account: 'slu_bot' },
    error: expect.stringContaining('not reached'),
  })
  const ann = rig.api.person('Ann')
  ann.write('while you were away')
  isAway = false
  await rig.api.up()
  await rig.passUntil(() => rig.taken.length === 1, 'the message')
  expect(rig.states.at(-1)).toEqual({ phase: 'running', account: 'slu_bot' })
})

test('a service that holds no question is not asked in a loop that is busy', async () => {
  let asked = 0
  const empty: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('/getUpdates')) return await fetch(input, init)
    asked += 1
    return Response.json({ ok: true, result: [] })
  }
  const rig = await opened({ fetch: empty })
  await rig.start()
  await rig.passUntil(() => asked > 0, 'a question')
  const before = asked
  await rig.clock.advance(10_000)
  expect(asked - before).toBeGreaterThan(10)
  expect(asked - before).toBeLessThanOrEqual(21)
})

test('W7: a start without a network waits 5 s at most, and goes on by itself', async () => {
  const rig = await opened()
  rig.api.meets({ kind: 'hang', when: 'before', method: 'getMe' })
  const start = rig.start()
  await rig.api.until(() => rig.api.count('getMe') === 1, 'the first question')
  await rig.clock.advance(5_000)
  await start
  await rig.passUntil(() => rig.api.isPolled, 'a poll')
  expect(phases(rig)).toEqual(['starting', 'running'])
})

test('a wrong token cannot start, and says what to do without saying the token', async () => {
  for (const token of ['4242:AAsomebody-elses_token-0123456789abcd', 'nonsense']) {
    const rig = await opened({ token })
    const error = await rig.start().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      name: 'ChannelError',
      kind: 'permanent',
      message: expect.stringContaining('BotFather'),
    })
    expect(rig.states.at(-1)?.phase).toBe('failed')
    await rig.clock.advance(60 * MINUTE)
    expect(rig.api.calls.length).toBe(1)
  }
})

const UNAUTHORIZED: Fault = { kind: 'refuse', code: 401, description: 'Unauthorized', method: 'getUpdates' }

test('401 later: failed, and asked again every ten minutes only', async () => {
  const rig = await running()
  const before = rig.api.count('getUpdates')
  rig.api.meets({ ...UNAUTHORIZED, times: 3 })
  rig.api.person('Ann').write('wake')
  await rig.passUntil(() => phases(rig).includes('failed'), 'the state')
  await rig.clock.advance(9 * MINUTE)
  expect(rig.api.count('getUpdates') - before).toBe(1)
  await rig.passUntil(() => phases(rig).at(-1) === 'running', 'the token to be known again')
})

test('409: another poller is said in words that help, and tried again slowly', async () => {
  const rig = await running()
  const { api } = rig
  const other = await fetch(`${api.apiRoot}/bot${api.token}/getUpdates`).then(answer => answer.json())
  expect(other).toEqual({ ok: true, result: [] })
  await rig.passUntil(() => phases(rig).includes('failed'), 'the state')
  expect(rig.states.at(-1)?.error).toMatch(/Another program takes this bot's messages: stop it, or give/)
  const before = api.count('getUpdates')
  await rig.clock.advance(29_000)
  expect(api.count('getUpdates')).toBe(before)
  api.person('Ann').write('still there?')
  await rig.passUntil(() => rig.taken.length === 1, 'the message')
  expect(rig.states.at(-1)?.phase).toBe('running')
})

test('429: left alone for as long as it asks', async () => {
  const rig = await running()
  rig.api.meets(tooMany(90, 'getUpdates'))
  rig.api.person('Ann').write('one')
  await rig.passUntil(() => rig.taken.length === 1, 'the message')
  await rig.passUntil(() => phases(rig).includes('offline'), 'the state')
  const before = rig.api.count('getUpdates')
  await rig.clock.advance(89_000)
  expect(rig.api.count('getUpdates')).toBe(before)
  await rig.passUntil(() => rig.api.count('getUpdates') > before, 'the next question')
})

const STUMBLES: readonly Fault[] = [
  { kind: 'refuse', code: 500, description: 'Internal Server Error' },
  { kind: 'page', status: 502 },
  { kind: 'cut', when: 'before' },
  { kind: 'cut', when: 'after' },
  { kind: 'hang', when: 'before' },
]
for (const stumble of STUMBLES) {
  test(`a poll that meets ${JSON.stringify(stumble)} is asked again, and nothing is lost or handed on twice`, async () => {
    const rig = await running()
    rig.api.meets({ ...stumble, method: 'getUpdates', times: 3 })
    const ann = rig.api.person('Ann')
    ann.write('one')
    await rig.passUntil(() => rig.taken.length === 1, 'the first message')
    ann.write('two')
    await rig.passUntil(() => rig.api.unconfirmed.length === 0 && rig.api.isPolled, 'all to be confirmed')
    expect(texts(rig)).toEqual(['one', 'two'])
    expect(phases(rig)).toContain('offline')
    expect(rig.states.at(-1)).toEqual({ phase: 'running', account: 'slu_bot' })
  })
}

test('commands that cannot be shown, and presses that are answered too late, are only logged', async () => {
  const rig = await opened({ pressed: async () => 'x'.repeat(500) })
  rig.api.meets({ kind: 'refuse', code: 400, description: 'Bad Request: BOT_COMMAND_INVALID', method: 'setMyCommands' })
  await rig.start()
  await rig.api.until(() => rig.api.isPolled, 'a poll')
  expect(rig.logged).toEqual([
    'telegram: its commands are not shown: Telegram refused: Bad Request: BOT_COMMAND_INVALID',
  ])
  const ann = rig.api.person('Ann')
  const buttons = [[{ label: 'Yes', action: 'y' }]]
  await rig.channel.send({ id: 's', chatId: String(ann.id), text: 'May I?', buttons }, new AbortController().signal)
  expect(await ann.press('Yes').note).toBe('x'.repeat(200))
  const tooOld = 'Bad Request: query is too old and response timeout expired or query ID is invalid'
  rig.api.meets({ kind: 'refuse', code: 400, description: tooOld, method: 'answerCallbackQuery' })
  ann.press('Yes')
  await rig.passUntil(() => rig.logged.length === 2, 'the log')
  expect(rig.logged[1]).toBe(`telegram: a press was not answered: Telegram refused: ${tooOld}`)
  expect(rig.presses.length).toBe(2)
})

test('the commands are offered', async () => {
  const rig = await running()
  expect(rig.api.commands).toEqual([{ command: 'status', description: 'How it is' }])
})

test('a webhook: without the secret nothing is taken, and what fails is posted again until it is on disk', async () => {
  const hook = await serveWebhook()
  const serviceClock = new FakeClock()
  let disk: 'works' | 'full' = 'full'
  const rig = await opened({
    api: new BotApi({ clock: serviceClock }),
    webhook: { url: hook.url, secret: SECRET },
    inbound: async () => {
      if (disk === 'full') throw new Error('disk full')
    },
  })
  onTestFinished(hook.close)
  hook.mount(rig.channel)
  expect(await rig.channel.webhook({ secret: SECRET, update: { update_id: 1 } })).toEqual({ status: 503 })
  await rig.start()
  await rig.api.until(() => rig.api.hook !== undefined, 'the webhook')
  const { updateId } = rig.api.person('Ann').write('one')
  await rig.api.until(() => rig.api.posts.length === 1, 'a post')
  expect(rig.api.posts).toEqual([{ updateId, status: 503 }])
  disk = 'works'
  await serviceClock.advance(1_000)
  await rig.api.until(() => rig.api.posts.length === 2, 'another post')
  expect(texts(rig)).toEqual(['one'])
  const forged = { update_id: 9, message: rig.taken[0] }
  for (const secret of [undefined, '', 'wrong', `${SECRET}x`]) {
    expect(await rig.channel.webhook({ secret, update: forged })).toEqual({ status: 401 })
  }
  expect(await rig.channel.webhook({ secret: SECRET, update: 'x' })).toEqual({ status: 400 })
  await rig.channel.stop()
  expect(await rig.channel.webhook({ secret: SECRET, update: forged })).toEqual({ status: 503 })
  expect(rig.taken.length).toBe(1)
})

test('a webhook that Telegram does not get through to is said, with what waits there, until a post is taken', async () => {
  const [hook, serviceClock] = [await serveWebhook(), new FakeClock()]
  onTestFinished(hook.close)
  const held = Promise.withResolvers<void>()
  onTestFinished(() => held.resolve())
  const inbound = async ({ text }: InboundMessage) => (text === 'two' ? await held.promise : undefined)
  const api = new BotApi({ clock: serviceClock })
  const rig = await opened({ api, inbound, webhook: { url: hook.url, secret: SECRET } })
  await rig.start()
  await rig.passUntil(() => rig.states.at(-1)?.phase === 'running', 'a webhook')
  const pass = async (ms: number) => {
    await serviceClock.advance(ms)
    await rig.clock.advance(ms)
  }
  await pass(1_000)
  rig.api.person('Ann').write('one')
  await rig.api.until(() => rig.api.posts.length === 1, 'a post')
  await pass(60_000)
  await rig.passUntil(() => rig.states.at(-1)?.phase === 'offline', 'the doubt')
  expect(rig.states.at(-1)?.error).toMatch(/webhookUrl: Wrong response from the webhook: 404\. Waiting there: 1\./)
  hook.mount(rig.channel)
  await pass(60_000)
  await rig.api.until(() => rig.api.unconfirmed.length === 0, 'the message')
  await rig.passUntil(() => rig.states.at(-1)?.phase === 'running', 'all to be well')
  expect(texts(rig)).toEqual(['one'])
  // What is just being taken is no doubt, though Telegram still names its last failure.
  rig.api.person('Bob').write('two')
  const [asked, said] = [rig.api.count('getWebhookInfo'), rig.states.length]
  await rig.passUntil(() => rig.api.count('getWebhookInfo') > asked + 1, 'another look')
  expect(rig.states.length).toBe(said)
})

test('a webhook that another program took away is said, and set again', async () => {
  const hook = await serveWebhook()
  onTestFinished(hook.close)
  const rig = await opened({ webhook: { url: hook.url, secret: SECRET } })
  await rig.start()
  await rig.passUntil(() => rig.states.at(-1)?.phase === 'running', 'a webhook')
  rig.api.hook = undefined
  await rig.passUntil(() => rig.states.at(-1)?.phase === 'failed', 'the loss')
  expect(rig.states.at(-1)?.error).toMatch(/Another program/)
  await rig.passUntil(() => rig.states.at(-1)?.phase === 'running', 'the webhook again')
  expect(rig.api.hook).toMatchObject({ url: hook.url })
})
