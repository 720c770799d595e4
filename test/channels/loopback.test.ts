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

async function rig(dedupesSends: boolean): Promise<ChannelRig> {
  let next: SendFault | undefined
  const channel: Loopback = loopback({
    dedupesSends,
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
  }
}

channelContract('loopback that dedupes', () => rig(true))
channelContract('loopback that does not', () => rig(false))
