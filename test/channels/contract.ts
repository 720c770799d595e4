// The contract of the channel port, run on every channel. A channel is tried through its own service, or a fake of it:
// the rig says how a person writes there, what people have seen, and how the service fails.
import { describe, expect, test } from 'vitest'
import type { Channel, InboundMessage } from '../../src/channels/port.ts'

/** What the service does with the next send. `hung`: it is taken, and no answer ever comes. */
export type Trouble = 'lost' | 'busy' | 'refused' | 'unanswered' | 'hung'

export interface ChannelRig {
  readonly channel: Channel
  /** Texts that the people of a chat have seen, in order. */
  readonly seen: (chatId: string) => string[]
  /** A person writes; resolves when the channel has acknowledged it upstream, rejects when it did not. */
  readonly say: (message: { messageId: string; chatId: string; text: string }) => Promise<void>
  /** The next send meets this. `busy` asks to be left alone for 7 s. */
  readonly trouble: (trouble: Trouble) => void
}

type OpenRig = () => Promise<ChannelRig>

export const BUSY_RETRY_AFTER_MS = 7_000
const never = new AbortController().signal

async function started(openRig: OpenRig, inbound: (message: InboundMessage) => Promise<void> = async () => undefined) {
  const rig = await openRig()
  await rig.channel.start({ inbound, pressed: async () => undefined, state: () => undefined, commands: [] })
  return rig
}

/** What a send answers, or throws. */
async function outcome({ channel }: ChannelRig, id: string, signal = never): Promise<unknown> {
  return await channel.send({ id, chatId: 'c1', text: `say ${id}` }, signal).catch((error: unknown) => error)
}

const TESTS: Readonly<Record<string, (openRig: OpenRig) => Promise<void>>> = {
  'L1: a message is acknowledged once it was taken, and not when it was not': async openRig => {
    const taken: InboundMessage[] = []
    let disk: 'works' | 'full' = 'full'
    const rig = await started(openRig, async message => {
      if (disk === 'full') throw new Error('disk full')
      taken.push(message)
    })
    const message = { messageId: 'm1', chatId: 'c1', text: 'hello' }
    await expect(rig.say(message)).rejects.toThrow()
    expect(taken).toEqual([])
    disk = 'works'
    await rig.say(message)
    expect(taken).toMatchObject([{ channelId: rig.channel.id, ...message, from: { id: expect.any(String) } }])
    expect(taken[0]?.atMs).toBeTypeOf('number')
    await rig.channel.stop()
  },

  'W2: a message that waits to be taken holds up no other chat': async openRig => {
    const held = Promise.withResolvers<void>()
    const taken: string[] = []
    const rig = await started(openRig, async ({ messageId, chatId }) => {
      if (chatId === 'slow') await held.promise
      taken.push(messageId)
    })
    const slow = rig.say({ messageId: 'm1', chatId: 'slow', text: 'a' })
    await rig.say({ messageId: 'm2', chatId: 'quick', text: 'b' })
    expect(taken).toEqual(['m2'])
    held.resolve()
    await slow
    expect(taken).toEqual(['m2', 'm1'])
    await rig.channel.stop()
  },

  'L4: a send is seen once, in order, and has an id': async openRig => {
    const rig = await started(openRig)
    const ids = [await outcome(rig, 's1'), await outcome(rig, 's2')].map(sent => (sent as { id: string }).id)
    expect(new Set(ids).size).toBe(2)
    expect(rig.seen('c1')).toEqual(['say s1', 'say s2'])
    await rig.channel.stop()
  },

  'L4: the error of a send says what became of it': async openRig => {
    const rig = await started(openRig)
    const kinds = { lost: 'transient', busy: 'transient', refused: 'permanent', unanswered: 'unconfirmed' } as const
    for (const [trouble, kind] of Object.entries(kinds)) {
      rig.trouble(trouble as Trouble)
      const error = await outcome(rig, trouble)
      expect(error, trouble).toMatchObject({ name: 'ChannelError', kind })
      expect(rig.seen('c1').includes(`say ${trouble}`), trouble).toBe(kind === 'unconfirmed')
      if (trouble === 'busy') expect(error).toMatchObject({ retryAfterMs: BUSY_RETRY_AFTER_MS })
    }
    await rig.channel.stop()
  },

  'L4: whoever dedupes shows a send once, however often it is sent': async openRig => {
    const rig = await started(openRig)
    rig.trouble('unanswered')
    await outcome(rig, 's1')
    expect(await outcome(rig, 's1')).toMatchObject({ id: expect.any(String) })
    const once = ['say s1']
    expect(rig.seen('c1')).toEqual(rig.channel.capabilities.dedupesSends ? once : [...once, ...once])
    await rig.channel.stop()
  },

  'L4: a text as long as the channel says is taken, a longer one never': async openRig => {
    const { channel, seen } = await started(openRig)
    const { textLengthMax } = channel.capabilities
    expect(textLengthMax).toBeGreaterThanOrEqual(100)
    const send = (length: number) => channel.send({ id: `s${length}`, chatId: 'c1', text: 'x'.repeat(length) }, never)
    await send(textLengthMax)
    await expect(send(textLengthMax + 1)).rejects.toMatchObject({ kind: 'permanent' })
    expect(seen('c1').map(text => text.length)).toEqual([textLengthMax])
    await channel.stop()
  },

  'W6: a send that nobody waits for any more ends, as unconfirmed; a stop waits for none': async openRig => {
    const rig = await started(openRig)
    const gaveUp = new AbortController()
    rig.trouble('hung')
    const hung = outcome(rig, 's1', gaveUp.signal)
    await rig.channel.stop()
    await rig.channel.stop()
    gaveUp.abort()
    expect(await hung).toMatchObject({ kind: 'unconfirmed' })
    await expect(rig.say({ messageId: 'late', chatId: 'c1', text: 'anyone?' })).rejects.toThrow()
  },
}

export function channelContract(name: string, openRig: OpenRig): void {
  describe(name, () => {
    for (const [invariant, run] of Object.entries(TESTS)) test(invariant, () => run(openRig))
  })
}
