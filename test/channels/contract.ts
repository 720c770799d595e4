// The contract of the channel port, run on every channel. A channel is tried through its own service, or a fake of it:
// the rig says how a person writes there, what people have seen, and how the service fails.
import { describe, expect, test } from 'vitest'
import type { Capabilities, Channel, ChannelState, InboundMessage, Press } from '../../src/channels/port.ts'

/** What the service does with the next send. `hung`: it is taken, and no answer ever comes. */
export type Trouble = 'lost' | 'busy' | 'refused' | 'unanswered' | 'hung'

export interface ChannelRig {
  readonly channel: Channel
  /** Texts that the people of a chat have seen, in order. */
  readonly seen: (chatId: string) => string[]
  /** The id of the chat that the tests call so; absent: its name. */
  readonly chat?: (name: string) => string
  /**
   * A person writes, or, with a `messageId` that was there before, the same message comes again. Resolves when the channel
   * has acknowledged it upstream, rejects when it did not.
   */
  readonly say: (message: { messageId: string; chatId: string; text: string }) => Promise<void>
  /** The next send or edit meets this. `busy` asks to be left alone for 7 s. */
  readonly trouble: (trouble: Trouble) => void | Promise<void>
  /** For a channel that offers more than texts. */
  readonly more?: {
    /** The messages of a chat as they read now. */
    readonly looks: (chatId: string) => readonly Look[]
    /** A person presses a button; resolves with what they are shown of it. */
    readonly press: (chatId: string, label: string) => Promise<string | undefined>
    /** The chats in which typing was shown. */
    readonly typed: () => readonly string[]
    /** The sign under the last message that a person of this chat wrote. */
    readonly sign: (chatId: string) => string | undefined
  }
}

interface Look {
  readonly text: string
  readonly labels: readonly (readonly string[])[]
  readonly file: { readonly name: string; readonly bytes: Uint8Array } | undefined
}

type Offer = keyof Omit<Capabilities, 'dedupesSends' | 'textLengthMax'>

type OpenRig = () => Promise<ChannelRig>

export const BUSY_RETRY_AFTER_MS = 7_000
const never = new AbortController().signal

async function started(openRig: OpenRig, inbound: (message: InboundMessage) => Promise<void> = async () => undefined) {
  const rig = await openRig()
  const states: ChannelState[] = []
  const presses: Press[] = []
  await rig.channel.start({
    inbound,
    pressed: async press => {
      presses.push(press)
      return `noted ${press.action}`
    },
    state: state => void states.push(state),
    commands: [{ name: 'status', description: 'How it is' }],
  })
  return { ...rig, c1: idOf(rig, 'c1'), states, presses }
}

const idOf = ({ chat = (name: string) => name }: ChannelRig, name: string) => chat(name)

/** What a send answers, or throws. */
async function outcome(rig: ChannelRig, id: string, signal = never): Promise<unknown> {
  const message = { id, chatId: idOf(rig, 'c1'), text: `say ${id}` }
  return await rig.channel.send(message, signal).catch((error: unknown) => error)
}

const TESTS: Readonly<Record<string, (openRig: OpenRig) => Promise<void>>> = {
  'L1: a message is acknowledged once it was taken, and not when it was not': async openRig => {
    const handed: InboundMessage[] = []
    let disk: 'works' | 'full' = 'full'
    const rig = await started(openRig, async message => {
      handed.push(message)
      if (disk === 'full') throw new Error('disk full')
    })
    const message = { messageId: 'm1', chatId: rig.c1, text: 'hello' }
    await expect(rig.say(message)).rejects.toThrow()
    expect(handed.length).toBe(1)
    disk = 'works'
    await rig.say(message)
    const { messageId, ...shown } = message
    const expected = { ...shown, channelId: rig.channel.id, from: { id: expect.any(String) }, atMs: expect.any(Number) }
    expect(handed).toMatchObject([expected, expected])
    expect(handed[0]?.messageId).toBe(handed[1]?.messageId)
    expect(handed[0]?.group).toBeUndefined()
    await rig.channel.stop()
  },

  'W2: a message that waits to be taken holds up no other chat': async openRig => {
    const held = Promise.withResolvers<void>()
    const taken: string[] = []
    const rig = await started(openRig, async ({ text }) => {
      if (text === 'a') await held.promise
      taken.push(text)
    })
    const slow = rig.say({ messageId: 'm1', chatId: idOf(rig, 'slow'), text: 'a' })
    await rig.say({ messageId: 'm2', chatId: idOf(rig, 'quick'), text: 'b' })
    expect(taken).toEqual(['b'])
    held.resolve()
    await slow
    expect(taken).toEqual(['b', 'a'])
    await rig.channel.stop()
  },

  'L4: a send is seen once, in order, and has an id': async openRig => {
    const rig = await started(openRig)
    const ids = [await outcome(rig, 's1'), await outcome(rig, 's2')].map(sent => (sent as { id: string }).id)
    expect(new Set(ids).size).toBe(2)
    expect(rig.seen(rig.c1)).toEqual(['say s1', 'say s2'])
    await rig.channel.stop()
  },

  'L4: the error of a send says what became of it': async openRig => {
    const rig = await started(openRig)
    const kinds = { lost: 'transient', busy: 'transient', refused: 'permanent', unanswered: 'unconfirmed' } as const
    for (const [trouble, kind] of Object.entries(kinds)) {
      await rig.trouble(trouble as Trouble)
      const error = await outcome(rig, trouble)
      expect(error, trouble).toMatchObject({ name: 'ChannelError', kind })
      expect(rig.seen(rig.c1).includes(`say ${trouble}`), trouble).toBe(kind === 'unconfirmed')
      if (trouble === 'busy') expect(error).toMatchObject({ retryAfterMs: BUSY_RETRY_AFTER_MS })
    }
    await rig.channel.stop()
  },

  'L4: whoever dedupes shows a send once, however often it is sent': async openRig => {
    const rig = await started(openRig)
    await rig.trouble('unanswered')
    await outcome(rig, 's1')
    expect(await outcome(rig, 's1')).toMatchObject({ id: expect.any(String) })
    const once = ['say s1']
    expect(rig.seen(rig.c1)).toEqual(rig.channel.capabilities.dedupesSends ? once : [...once, ...once])
    await rig.channel.stop()
  },

  'L4: a text as long as the channel says is taken, a longer one never': async openRig => {
    const { channel, seen, c1 } = await started(openRig)
    const { textLengthMax } = channel.capabilities
    expect(textLengthMax).toBeGreaterThanOrEqual(100)
    const send = (length: number) => channel.send({ id: `s${length}`, chatId: c1, text: 'x'.repeat(length) }, never)
    await send(textLengthMax)
    await expect(send(textLengthMax + 1)).rejects.toMatchObject({ kind: 'permanent' })
    expect(seen(c1).map(text => text.length)).toEqual([textLengthMax])
    await channel.stop()
  },

  'W6: a send that nobody waits for any more ends, as unconfirmed; a stop waits for none': async openRig => {
    const rig = await started(openRig)
    const gaveUp = new AbortController()
    await rig.trouble('hung')
    const hung = outcome(rig, 's1', gaveUp.signal)
    await rig.channel.stop()
    await rig.channel.stop()
    gaveUp.abort()
    expect(await hung).toMatchObject({ kind: 'unconfirmed' })
    await expect(rig.say({ messageId: 'late', chatId: rig.c1, text: 'anyone?' })).rejects.toThrow()
  },
}

const OFFERS: Readonly<Record<Offer, Readonly<Record<string, (openRig: OpenRig) => Promise<void>>>>> = {
  edits: {
    'an edit changes what was sent, in place; the same again does no harm': async openRig => {
      const rig = await started(openRig)
      const { id: sentId } = (await outcome(rig, 's1')) as { id: string }
      await outcome(rig, 's2')
      const edited = { id: 's1', chatId: rig.c1, text: 'said anew', sentId }
      for (let time = 0; time < 2; time += 1) await rig.channel.edit?.(edited, never)
      expect(rig.seen(rig.c1)).toEqual(['said anew', 'say s2'])
      await rig.channel.stop()
    },
    'L4: the error of an edit says whether it may be tried again': async openRig => {
      const rig = await started(openRig)
      const { id: sentId } = (await outcome(rig, 's1')) as { id: string }
      const kinds = { lost: 'transient', busy: 'transient', refused: 'permanent', unanswered: 'transient' } as const
      for (const [trouble, kind] of Object.entries(kinds)) {
        await rig.trouble(trouble as Trouble)
        const edited = { id: 's1', chatId: rig.c1, text: `now ${trouble}`, sentId }
        await expect(rig.channel.edit?.(edited, never), trouble).rejects.toMatchObject({ kind })
      }
      expect(rig.seen(rig.c1)).toEqual(['now unanswered'])
      const gone = { id: 's9', chatId: rig.c1, text: 'x', sentId: '999999' }
      await expect(rig.channel.edit?.(gone, never)).rejects.toMatchObject({ kind: 'permanent' })
      await rig.channel.stop()
    },
  },
  buttons: {
    'a press hands back what the button was sent with, and shows what comes of it': async openRig => {
      const rig = await started(openRig)
      const { actionBytesMax = 0 } = rig.channel.capabilities.buttons ?? {}
      const action = 'a'.repeat(actionBytesMax)
      const buttons = [
        [
          { label: 'Yes', action },
          { label: 'No', action: 'no' },
        ],
        [{ label: 'Later', action: 'later' }],
      ]
      await rig.channel.send({ id: 's1', chatId: rig.c1, text: 'May I?', buttons }, never)
      expect(rig.more?.looks(rig.c1)[0]?.labels).toEqual([['Yes', 'No'], ['Later']])
      expect(await rig.more?.press(rig.c1, 'Yes')).toBe(`noted ${action}`)
      const { channel, c1: chatId } = rig
      expect(rig.presses).toMatchObject([{ channelId: channel.id, chatId, action, from: { id: expect.any(String) } }])
      expect(rig.presses[0]?.pressId).not.toBe('')
      await channel.stop()
    },
  },
  files: {
    'a file is seen with its text, byte for byte': async openRig => {
      const rig = await started(openRig)
      const bytes = Uint8Array.from({ length: 300 }, (_, at) => at % 256)
      const kinds = { 'a b.png': 'image/png', 'notes.pdf': 'application/pdf', 'said.ogg': 'audio/ogg' }
      for (const [name, mediaType] of Object.entries(kinds)) {
        await rig.channel.send(
          { id: name, chatId: rig.c1, text: `this is ${name}`, file: { name, mediaType, bytes } },
          never,
        )
      }
      const looks = rig.more?.looks(rig.c1) ?? []
      expect(looks.map(({ text, file }) => [text, file?.name])).toEqual(
        Object.keys(kinds).map(name => [`this is ${name}`, name]),
      )
      for (const { file } of looks) expect([...(file?.bytes ?? [])]).toEqual([...bytes])
      await rig.channel.stop()
    },
  },
  typing: {
    'typing is shown in its chat': async openRig => {
      const rig = await started(openRig)
      await rig.channel.typing?.(rig.c1, never)
      expect(rig.more?.typed()).toEqual([rig.c1])
      await rig.channel.stop()
    },
  },
  reactions: {
    'a sign is put under a message, and taken away': async openRig => {
      const taken: InboundMessage[] = []
      const rig = await started(openRig, async message => void taken.push(message))
      await rig.say({ messageId: 'm1', chatId: rig.c1, text: 'hello' })
      const target = { chatId: rig.c1, messageId: taken[0]?.messageId ?? '' }
      await rig.channel.react?.({ ...target, sign: '👀' })
      expect(rig.more?.sign(rig.c1)).toBe('👀')
      await rig.channel.react?.(target)
      expect(rig.more?.sign(rig.c1)).toBeUndefined()
      await rig.channel.stop()
    },
  },
}

/** `offers`: what the channel can do beyond texts; each is tried. */
export function channelContract(name: string, openRig: OpenRig, offers: readonly Offer[] = []): void {
  const tests = [...Object.entries(TESTS), ...offers.flatMap(offer => Object.entries(OFFERS[offer]))]
  describe(name, () => {
    for (const [invariant, run] of tests) test(invariant, () => run(openRig))

    test('says what it can do, and how it fares', async () => {
      const { channel, states } = await started(openRig)
      const { dedupesSends, textLengthMax, ...rest } = channel.capabilities
      expect(Object.keys(rest).sort()).toEqual([...offers].sort())
      await channel.stop()
      for (const { phase, error } of states)
        if (phase === 'running' || phase === 'stopped') expect(error).toBeUndefined()
      expect(states.at(-1)?.phase ?? 'stopped').toBe('stopped')
    })
  })
}
