// A channel whose service is a file: what a person has seen is its lines, appended with one write each, and outlives the
// gateway. A service that dedupes looks into the file first; the plain one shows whatever comes.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { type Channel, ChannelError, type ChannelHandlers, type InboundMessage } from '../../src/channels/port.ts'
import { give, isArmed, type Point, seenFile } from './signs.ts'

export type ChannelId = 'dedupes' | 'plain'

export interface Seen {
  readonly id: string
  readonly chatId: string
  readonly text: string
}

/** `say` is a person who writes: it resolves once the message is the gateway's. */
export interface FileChannel extends Channel {
  say(message: Omit<InboundMessage, 'channelId'>): Promise<void>
}

export function readSeen(file: string): Seen[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap(line => (line === '' ? [] : [JSON.parse(line)]))
}

export function fileChannel(folder: string, id: ChannelId): FileChannel {
  const file = seenFile(folder, id)
  const dedupesSends = id === 'dedupes'
  const point: Point = `before-mark:${id}`
  let handlers: ChannelHandlers | undefined
  return {
    id,
    capabilities: { dedupesSends, textLengthMax: 4_000 },
    start: async given => {
      handlers = given
    },
    stop: async () => {
      handlers = undefined
    },
    say: async message => {
      if (!handlers) throw new ChannelError('transient', 'The channel is stopped: nothing was taken.')
      await handlers.inbound({ channelId: id, ...message })
    },
    send: async message => {
      const known = dedupesSends && readSeen(file).some(seen => seen.id === message.id)
      if (!known) append(file, `${JSON.stringify(message satisfies Seen)}\n`)
      give({ sign: 'seen', id: message.id })
      if (isArmed(folder, point)) {
        give({ sign: 'reached', point })
        await Promise.withResolvers().promise
      }
      return { id: `at ${id}: ${message.id}` }
    },
  }
}

function append(file: string, line: string): void {
  const opened = openSync(file, 'a', 0o600)
  try {
    writeSync(opened, line)
  } finally {
    closeSync(opened)
  }
}
