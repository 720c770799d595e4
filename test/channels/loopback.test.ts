// The loopback channel keeps the channel port's contract, whether it dedupes or not.
import { type Loopback, loopback, type SendFault } from '../../src/channels/loopback/loopback.ts'
import { BUSY_RETRY_AFTER_MS, type ChannelRig, channelContract, type Trouble } from './contract.ts'

const FAULTS: Readonly<Record<Trouble, SendFault>> = {
  lost: { kind: 'lost' },
  busy: { kind: 'lost', retryAfterMs: BUSY_RETRY_AFTER_MS },
  refused: { kind: 'refused' },
  unanswered: { kind: 'unanswered' },
  hung: { kind: 'hung' },
}

const OFFERS = {
  edits: { intervalMs: 0 },
  buttons: { actionBytesMax: 64 },
  files: { bytesMax: 1_000 },
  typing: true,
  reactions: true,
} as const

async function rig(dedupesSends: boolean): Promise<ChannelRig> {
  let presses = 0
  let next: SendFault | undefined
  const channel: Loopback = loopback({
    dedupesSends,
    offers: OFFERS,
    fault: () => {
      const fault = next
      next = undefined
      return fault
    },
  })
  return {
    channel,
    seen: chatId => channel.seen.filter(shown => shown.chatId === chatId).map(({ text }) => text),
    say: message => channel.say({ ...message, from: { id: 'p1' }, atMs: 1 }),
    trouble: trouble => {
      next = FAULTS[trouble]
    },
    more: {
      looks: chatId =>
        channel.seen
          .filter(shown => shown.chatId === chatId)
          .map(({ text, buttons = [], file }) => ({
            text,
            labels: buttons.map(row => row.map(one => one.label)),
            file,
          })),
      press: async (chatId, label) => {
        const buttons = channel.seen.flatMap(shown => shown.buttons ?? []).flat()
        const { action = '' } = buttons.find(button => button.label === label) ?? {}
        presses += 1
        return await channel.press({ pressId: `p${presses}`, chatId, from: { id: 'p1' }, action })
      },
      typed: () => channel.typed,
      sign: chatId => channel.signs.findLast(sign => sign.chatId === chatId)?.sign,
    },
  }
}

const offers = Object.keys(OFFERS) as (keyof typeof OFFERS)[]
channelContract('loopback that dedupes', () => rig(true), offers)
channelContract('loopback that does not', () => rig(false), offers)
