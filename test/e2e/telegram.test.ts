// What people do in Telegram chats, before a real gateway: reminders, messages and buttons while tools run, groups, long
// answers, words of any script. grammY itself talks to a Bot API that is a script.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Shown } from '../fakes/telegram/chats.ts'
import { BOUND_MS, within } from './bound.ts'
import { jobSession } from './jobs.ts'
import { call, Gate, resultOf, type Step } from './scripted-model.ts'
import { sessionOf, TelegramRig } from './telegram-rig.ts'

const rig = new TelegramRig()
const { api } = rig
const TURNS_MAX = 2

beforeAll(() =>
  rig.open({
    telegram: { groupPolicy: 'open' },
    defaults: { maxConcurrent: TURNS_MAX },
    config: {
      messages: { ackReactionScope: 'all', removeAckAfterReply: true },
      tools: { exec: { security: 'allowlist', allow: ['cat'], ask: 'on-miss' } },
    },
  }),
)
afterAll(() => rig.close())

const echo: Step = ({ user }) => ({ text: user })
const script = (chatId: number, ...steps: Step[]) => rig.model.script(sessionOf(chatId), ...steps)
const asksOf = (chatId: number) => rig.model.asks(sessionOf(chatId))

/** A command that a turn runs, and that ends when it is let. */
async function heldCommand(): Promise<{ step: Step; begun: () => Promise<void>; end: () => Promise<void> }> {
  const path = join(rig.scope.stateDir(), 'held')
  execFileSync('mkfifo', [path])
  // Opened once somebody reads it.
  const writer = open(path, 'w')
  return {
    step: call('exec', { command: ['cat', path] }),
    begun: async () => void (await within(writer, 'the command to begin')),
    end: async () => await (await writer).close(),
  }
}

test('a reminder made in a chat arrives in that chat, once', async () => {
  const ada = api.person('Ada')
  script(
    ada.id,
    () => {
      const due = { schedule: { kind: 'at', atMs: Date.now() }, payload: { kind: 'message', text: 'stretch!' } }
      return { calls: [{ name: 'cron', args: { action: 'add', job: { name: 'stretch', ...due } } }] }
    },
    { text: 'I will.' },
  )
  ada.write('remind me at once to stretch')
  await rig.told(ada.id, /I will/)
  await rig.told(ada.id, /stretch!/)
  expect(rig.texts(ada.id).toSorted()).toEqual(['I will.', expect.stringContaining('stretch!')].toSorted())
})

test('a message has a sign while it is worked on, and none once its reply was sent', async () => {
  const ada = api.person('Ada')
  const held = new Gate()
  script(ada.id, held.hold({ text: 'done' }))
  const signs = () => api.chats.room(ada.id).signs
  ada.write('work')
  await held.reached
  await api.until(() => signs().size === 1, 'the sign')
  expect([...signs().values()]).toEqual(['👀'])
  held.open()
  await rig.told(ada.id, /^done$/)
  await api.until(() => signs().size === 0, 'the sign to go')
})

test('what is made elsewhere for a chat arrives in it: the result of a job, and the reply to a program', async () => {
  const ada = api.person('Ada')
  const there = ['--deliver', '--channel', 'telegram', '--to', String(ada.id)]
  const added = await rig.gateway.cli([
    ...['cron', 'add', '--name', 'news', '--in', '0s', '--message', 'what is new?', '--json'],
    ...there,
  ])
  rig.model.script(jobSession(JSON.parse(added.stdout)), { text: 'the news' })
  await rig.told(ada.id, /^the news$/)
  rig.model.script('agent:main:elsewhere', { text: 'the answer' })
  const asked = rig.gateway.cli(['agent', '--session', 'elsewhere', '--message', 'and?', ...there])
  await rig.told(ada.id, /^the answer$/)
  expect((await asked).stdout).toContain('the answer')
  expect(rig.texts(ada.id)).toEqual(['the news', 'the answer'])
})

describe('while a tool of a chat runs', () => {
  test('a message joins the turn, and one answer says both', async () => {
    const ada = api.person('Ada')
    const { step, begun, end } = await heldCommand()
    script(ada.id, step, ({ messages }) => ({
      text: messages.flatMap(({ role, content }) => (role === 'user' ? [content] : [])).join(' + '),
    }))
    ada.write('look')
    await begun()
    await rig.taken(ada.write('and be quick'))
    await end()
    expect((await rig.told(ada.id, /./)).text).toBe('look + and be quick')
    expect(asksOf(ada.id)).toHaveLength(2)
  })

  test('in a chat that is asked to, it follows the turn', async () => {
    const ada = api.person('Ada')
    const { step, begun, end } = await heldCommand()
    script(ada.id, step, echo, echo)
    ada.write('look')
    await begun()
    await rig.client.call('sessions.patch', { key: sessionOf(ada.id), queueMode: 'followup' })
    await rig.taken(ada.write('and be quick'))
    await end()
    await rig.told(ada.id, /quick/)
    expect(rig.texts(ada.id)).toEqual(['look', 'and be quick'])
  })

  test('W7: /stop and /status are answered while it runs, and every place is taken', async () => {
    const [ada, bob] = [api.person('Ada'), api.person('Bob')]
    const held = new Gate()
    script(bob.id, held.hold({ text: 'held' }))
    const { step, begun, end } = await heldCommand()
    script(ada.id, step)
    ada.write('look')
    await begun()
    bob.write('begin')
    await held.reached
    ada.write('/status')
    await rig.told(ada.id, /A turn runs here/)
    ada.write('/stop')
    await rig.told(ada.id, /^Stopped\.$/)
    expect(held.isOpen).toBe(false)
    held.open()
    await end()
    await rig.told(bob.id, /^held$/)
    expect(asksOf(ada.id)).toHaveLength(1)
  })
})

describe('a command that must be asked about', () => {
  const ASK = call('exec', { command: ['true'] })
  const outcome: Step = ask => ({ text: resultOf(ask, 0).exitCode === 0 ? 'done' : 'not done' })

  test('W7: is allowed by a button while every place is taken; its buttons go', async () => {
    const [ada, ...others] = [api.person('Ada'), api.person('Bob'), api.person('Cem')]
    script(ada.id, ASK, outcome)
    ada.write('do it')
    const question = await rig.told(ada.id, /true/)
    expect(question.buttons.flat().map(({ text }) => text)).toEqual(['Yes', 'No'])
    const gates = others.map(({ id }) => {
      const gate = new Gate()
      script(id, gate.hold({ text: 'held' }))
      return gate
    })
    for (const other of others) other.write('go on')
    await Promise.all(gates.map(({ reached }) => reached))
    expect(await within(ada.press('Yes').note, 'the note')).toBe('Allowed.')
    await api.until(() => api.seen(ada.id)[0]?.buttons.length === 0, 'the buttons to go')
    expect(api.seen(ada.id)[0]?.text).toMatch(/May exec run this/)
    for (const gate of gates) gate.open()
    await rig.told(ada.id, /^done$/)
    await Promise.all(others.map(({ id }) => rig.told(id, /held/)))
  })

  test.each([
    ['yes', 'done'],
    ['no', 'not done'],
  ])('is answered by the word %s', async (word, end) => {
    const ada = api.person('Ada')
    script(ada.id, ASK, outcome)
    ada.write('do it')
    await rig.told(ada.id, /true/)
    ada.write(word)
    expect((await rig.told(ada.id, /done$/)).text).toBe(end)
    expect(asksOf(ada.id)).toHaveLength(2)
  })
})

test('T4: of 50 members of a group those are heard who name or answer the bot; the rest is counted', async () => {
  const group = api.group('Fifty')
  const members = Array.from({ length: 50 }, (_, index) => api.person(`Member ${index}`))
  const before = await rig.fares(({ running }) => running)
  script(group.id, echo, echo)
  const [first, second, ...others] = members
  first?.write('@slu_bot hello', { group })
  const { messageId } = await rig.told(group.id, /hello/)
  await Promise.all(others.map(other => rig.taken(other.write('lunch?', { group }))))
  second?.write('and me', { group, replyTo: messageId })
  await rig.told(group.id, /and me/)
  expect(rig.texts(group.id)).toEqual(['[Member 0] hello', '[Member 1, answers you: “Member 0  hello”] and me'])
  const { dropped } = await rig.fares(() => true)
  expect((dropped.unaddressed ?? 0) - (before.dropped.unaddressed ?? 0)).toBe(others.length)
})

test('20,000 characters with code arrive in order, the code as code and whole', async () => {
  const ada = api.person('Ada')
  const words = Array.from({ length: 280 }, (_, index) => `Line ${index} of what is said about it, one by one.`)
  const code = Array.from({ length: 150 }, (_, index) => `const line${index} = compute(${index}, '_*[') // ${index}`)
  const short = ['if (short) {', '  stays(whole)', '}']
  const answer = [
    ...words,
    '```ts',
    ...code,
    '```',
    ...words.slice(0, 40),
    '```',
    ...short,
    '```',
    'That is all.',
  ].join('\n')
  expect(answer.length).toBeGreaterThan(20_000)
  script(ada.id, { text: answer })
  ada.write('explain')
  await rig.told(ada.id, /That is all\./)
  const shown = api.seen(ada.id)
  expect(shown.every(({ text }) => text.length <= 4_096)).toBe(true)
  const lines = shown.flatMap(({ text }) => text.split('\n')).filter(line => line !== '')
  expect(lines).toEqual([...words, ...code, ...words.slice(0, 40), ...short, 'That is all.'])
  expect(shown.flatMap(codeOf).join('\n')).toBe([...code, ...short].join('\n'))
  expect(shown.flatMap(codeOf)).toContain(short.join('\n'))
})

function codeOf({ text, entities }: Shown): string[] {
  return entities.flatMap(({ type, offset, length }) =>
    type === 'pre' ? [text.slice(offset, offset + length).trimEnd()] : [],
  )
}

test('emoji, right-to-left and zero-width text are the same both ways', async () => {
  const ada = api.person('עדה')
  const words = ['👩‍👩‍👧‍👦 🏳️‍🌈 ❤️', 'שלום, עולם 123 (كلام)', 'zero\u200bwidth\u200d\u2060 and n\u0303']
  for (const said of words) {
    script(ada.id, echo)
    ada.write(said)
    await api.until(() => rig.texts(ada.id).at(-1) === said, said)
  }
  expect(rig.texts(ada.id)).toEqual(words)
})

test('an edited message corrects what was said, and a deleted one changes nothing', async () => {
  const ada = api.person('Ada')
  script(ada.id, echo, echo)
  const { messageId } = ada.write('milk')
  await rig.told(ada.id, /^milk$/)
  await rig.taken(ada.edit(messageId, 'oat milk'))
  await rig.told(ada.id, /oat milk/)
  ada.remove(messageId)
  ada.write('/status')
  await rig.told(ada.id, /Nothing runs here/)
  expect(rig.texts(ada.id)).toEqual(['milk', '[corrects an earlier message] oat milk', expect.any(String)])
})

test('L4: files of the agent’s folder arrive after the words of its reply, and no others do', async () => {
  const ada = api.person('Ada')
  const folder = join(rig.gateway.stateDir, 'workspace')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'notes.txt'), 'as they are')
  script(ada.id, { text: 'Here.\nMEDIA:notes.txt\nMEDIA:../token' })
  ada.write('my notes?')
  await api.until(() => api.seen(ada.id).some(({ file }) => file !== undefined), 'the file')
  expect(api.seen(ada.id).map(({ text, file }) => [text, file?.name, file?.bytes.toString()])).toEqual([
    [expect.stringMatching(/^Here\.\n\(The file \.\.\/token was not sent: it is not in /), undefined, undefined],
    ['', 'notes.txt', 'as they are'],
  ])
})

test('what people send is taken: the model sees a picture, and is told of a voice message that it cannot hear', async () => {
  const ada = api.person('Ada')
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20, 1)])
  script(ada.id, { text: 'a picture' }, { text: 'a voice' })
  ada.send('photo', png, { caption: 'look' })
  await rig.told(ada.id, /^a picture$/)
  ada.send('voice', Buffer.from('OggS'))
  await rig.told(ada.id, /^a voice$/)
  const [first, second] = asksOf(ada.id).map(({ messages }) => JSON.stringify(messages.at(-1)))
  expect(first).toContain(`look`)
  expect(first).toContain(`data:image/png;base64,${png.toString('base64')}`)
  expect(second).toMatch(/A file was attached \(voice-\d+\.ogg, audio\/ogg\) and could not be shown/)
})

test(
  '500 chats at once: each is answered once, and no more run at once than may',
  async () => {
    const people = Array.from({ length: 500 }, (_, index) => api.person(`Person ${index}`))
    let running = 0
    let most = 0
    const full = Promise.withResolvers<void>()
    for (const { id } of people) {
      script(id, async ask => {
        running += 1
        most = Math.max(most, running)
        // The first ones stay until as many run as may.
        if (running === TURNS_MAX) full.resolve()
        await full.promise
        running -= 1
        return { text: ask.user }
      })
    }
    for (const person of people) person.write(`I am ${person.id}`)
    const answered = () => people.filter(({ id }) => api.seen(id).length > 0).length
    // Each hundred under a bound of its own: a busy machine is slow, and does not hang.
    for (let count = 100; count <= people.length; count += 100)
      await api.until(() => answered() >= count, `an answer in ${count} of 500 chats`)
    expect(people.map(({ id }) => rig.texts(id))).toEqual(people.map(({ id }) => [`I am ${id}`]))
    expect(most).toBe(TURNS_MAX)
  },
  5 * BOUND_MS,
)
