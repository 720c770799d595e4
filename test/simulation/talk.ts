// What is drawn for people who write while turns run: the queue modes, the channels with their chats, when somebody goes
// on talking, and how the channels and the disk fail them. By a generator of its own, so that the rest of a seed stays
// what it was.
import type { QueueMode } from '../../src/config/schema.ts'
import type { Allowance } from './allowance.ts'
import { Prng } from './prng.ts'

const KINDS = { talk: 12, reset: 2, write: 14 }
export type TalkKind = keyof typeof KINDS

const MODES: Readonly<Record<QueueMode, number>> = { steer: 10, collect: 5, interrupt: 4, followup: 2, reject: 3 }

export interface ChannelPlan {
  readonly id: string
  readonly dedupesSends: boolean
  readonly textLengthMax: number
  readonly chats: readonly string[]
}

/** Probabilities: of each send, of each message that is handed on, of each write about them. */
export interface TalkFaults {
  /** A send is lost before it was taken, or the channel asks to be left alone. */
  readonly lost: number
  /** It was taken, and the answer is lost. */
  readonly unanswered: number
  readonly hung: number
  readonly refused: number
  /** The gateway dies between two steps of a send, or of taking a message. */
  readonly crash: number
  /** A message that was acknowledged is handed on again. */
  readonly repeated: number
  /** The disk does not take what is written of a send or a message. */
  readonly refusingDisk: number
}

export interface Talk {
  readonly modes: Allowance['modes']
  readonly channels: readonly ChannelPlan[]
  /** Of the channels' chats. */
  readonly sessions: readonly string[]
  readonly actions: readonly { readonly atMs: number; readonly kind: TalkKind; readonly name: string }[]
  readonly faults: TalkFaults
  /** Which of the other actions are done as well; by name. */
  readonly keeps: (name: string) => boolean
}

const KEPT_SHARE = 0.5

const CALM: TalkFaults = { lost: 0, unanswered: 0, hung: 0, refused: 0, crash: 0, repeated: 0, refusingDisk: 0 }

/** Nobody writes in a chat, and what is written to a busy session waits for its turn. */
export const SILENCE: Talk = {
  ...{
    modes: { mode: 'followup', byChannel: {} },
    channels: [],
    sessions: [],
    actions: [],
    faults: CALM,
    keeps: () => true,
  },
}

export const sessionOfChat = (channelId: string, chatId: string) => `agent:main:${channelId}:${chatId}`

export function drawTalk(seed: number, horizonMs: number): Talk {
  const random = new Prng(`talk ${seed}`)
  const channels = drawChannels(random)
  const other = random.chance(0.3) ? { [random.pick(channels).id]: random.weighted(MODES) } : {}
  const actions = Array.from({ length: random.int(4, 12) }, (_, index) => ({
    atMs: random.int(0, horizonMs),
    kind: random.weighted(KINDS),
    name: `w${index}`,
  }))
  return {
    modes: { mode: random.weighted(MODES), byChannel: other },
    channels,
    sessions: channels.flatMap(({ id, chats }) => chats.map(chat => sessionOfChat(id, chat))),
    actions,
    faults: drawFaults(random),
    // A world is as busy as any other, with more that is of its own kind.
    keeps: name => new Prng(`keeps ${seed} ${name}`).chance(KEPT_SHARE),
  }
}

function drawChannels(random: Prng): ChannelPlan[] {
  const both = [true, false].map(dedupesSends => ({
    id: dedupesSends ? 'sure' : 'plain',
    dedupesSends,
    textLengthMax: random.pick([100, 200, 4_000]),
    chats: Array.from({ length: random.int(1, 2) }, (_, index) => `c${index}`),
  }))
  return random.chance(0.5) ? both : [random.pick(both)]
}

function drawFaults(random: Prng): TalkFaults {
  const sometimes = (probability: number, value: number) => (random.chance(probability) ? value : 0)
  return {
    lost: sometimes(0.4, 0.2),
    unanswered: sometimes(0.4, 0.15),
    hung: sometimes(0.25, 0.08),
    refused: sometimes(0.2, 0.04),
    crash: sometimes(0.3, 0.04),
    repeated: sometimes(0.5, 0.2),
    refusingDisk: sometimes(0.3, 0.1),
  }
}
