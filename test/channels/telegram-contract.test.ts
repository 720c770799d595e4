// The Telegram channel keeps the channel port's contract. Messages come by its webhook, where the service's view of each
// (taken or not) is the status of its post.
import { onTestFinished } from 'vitest'
import { type Fault, tooMany } from '../fakes/telegram/bot-api.ts'
import type { Person } from '../fakes/telegram/chats.ts'
import { BUSY_RETRY_AFTER_MS, type ChannelRig, channelContract, type Trouble } from './contract.ts'
import { open, SECRET, serveWebhook } from './telegram-rig.ts'

const FAULTS: Readonly<Record<Exclude<Trouble, 'lost'>, Fault>> = {
  busy: tooMany(BUSY_RETRY_AFTER_MS / 1_000),
  refused: { kind: 'refuse', code: 403, description: 'Forbidden: bot was blocked by the user' },
  unanswered: { kind: 'cut', when: 'after' },
  hung: { kind: 'hang', when: 'after' },
}

async function rig(): Promise<ChannelRig> {
  const hook = await serveWebhook()
  const { api, channel, close } = await open({ webhook: { url: hook.url, secret: SECRET } })
  hook.mount(channel)
  onTestFinished(async () => {
    hook.close()
    await close()
  })
  const people = new Map<string, Person>()
  const personOf = (chatId: string) => [...people.values()].find(({ id }) => id === Number(chatId)) as Person
  const said = new Map<string, { updateId: number; messageId: number }>()
  const seen = (chatId: string) => api.seen(Number(chatId))
  // Once the service knows where to post, the channel asks for nothing by itself that could meet a trouble.
  const start: typeof channel.start = async handlers => {
    await channel.start(handlers)
    await api.until(() => api.hook !== undefined, 'the webhook')
  }
  return {
    channel: { ...channel, start },
    chat: name => {
      const person = people.get(name) ?? api.person(name)
      people.set(name, person)
      return String(person.id)
    },
    seen: chatId => seen(chatId).map(({ text }) => text),
    say: async ({ messageId, chatId, text }) => {
      const posts = () => api.posts.filter(({ updateId }) => updateId === said.get(messageId)?.updateId)
      const before = posts().length
      const known = said.get(messageId)
      if (known) await api.postAgain(known.updateId)
      else said.set(messageId, personOf(chatId).write(text))
      await api.until(() => posts().length > before, 'a post')
      if (posts().at(-1)?.status !== 200) throw new Error(`the service was told ${posts().at(-1)?.status}`)
    },
    trouble: async trouble => {
      await api.up()
      if (trouble === 'lost') await api.down()
      else api.meets(FAULTS[trouble])
    },
    more: {
      looks: chatId =>
        seen(chatId).map(({ text, buttons, file }) => ({
          text,
          labels: buttons.map(row => row.map(one => one.text)),
          file,
        })),
      press: async (chatId, label) => await personOf(chatId).press(label).note,
      typed: () => api.typed.map(({ chatId }) => String(chatId)),
      sign: chatId => [...(api.chats.rooms.get(Number(chatId))?.signs.values() ?? [])][0],
    },
  }
}

channelContract('telegram', rig, ['edits', 'buttons', 'files', 'typing', 'reactions'])
