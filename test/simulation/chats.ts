// The chats of a simulated world: a service that outlives every gateway, the people who write and read there, and what they
// have seen. A message is handed on until it was acknowledged, and now and then once more; what the service does with a
// send is drawn. It judges one thing itself: nothing goes out that is not under way on disk.
import { pause } from '../../src/base/pause.ts'
import { type Loopback, loopback, type SendFault, type Sighting } from '../../src/channels/loopback/loopback.ts'
import { type Channel, ChannelError, type OutboundMessage } from '../../src/channels/port.ts'
import type { Boot } from './boot.ts'
import { ask } from './disk.ts'
import { Prng } from './prng.ts'
import type { Scenario } from './scenario.ts'
import { writeNote } from './script.ts'
import type { Sightings } from './sightings.ts'
import { treeOf } from './stops.ts'
import { type ChannelPlan, sessionOfChat } from './talk.ts'
import type { VirtualTime } from './virtual-time.ts'

interface ChatsParts {
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly seen: Sightings
  /** The gateway that is up. */
  readonly boot: () => Boot
  readonly stormy: () => boolean
}

/** What a person wrote in a chat. */
export interface Letter {
  readonly channelId: string
  readonly chatId: string
  readonly messageId: string
  readonly text: string
  /** Since when the channel need not hand it on any more. */
  ackedMs?: number
}

interface Chat {
  readonly plan: ChannelPlan
  readonly chatId: string
  readonly letters: Letter[]
  /** The boot to which its first letter without an answer is being handed. */
  handing: Boot | undefined
}

const SENDING = 'SELECT state, text FROM sends WHERE id = ?'
const never = new Promise<never>(() => undefined)

export class Chats {
  readonly #parts: ChatsParts
  readonly #chats = new Map<string, Chat>()
  /** By channel, what its people have seen. */
  readonly #shown = new Map<string, Sighting[]>()
  #lines = new Map<string, Loopback>()
  #sends = 0
  #fault: SendFault | undefined
  /** Ids of sends that the service refused for good. */
  readonly refused = new Set<string>()

  constructor(parts: ChatsParts) {
    this.#parts = parts
    for (const plan of parts.scenario.talk.channels) {
      this.#shown.set(plan.id, [])
      for (const chatId of plan.chats)
        this.#chats.set(sessionOfChat(plan.id, chatId), { plan, chatId, letters: [], handing: undefined })
    }
  }

  get letters(): Letter[] {
    return [...this.#chats.values()].flatMap(chat => chat.letters)
  }

  /** In the order in which they were seen. */
  shownIn(channelId: string): readonly Sighting[] {
    return this.#shown.get(channelId) ?? []
  }

  get atRest(): boolean {
    return this.letters.every(letter => letter.ackedMs !== undefined)
  }

  /** The channels as one gateway has them. */
  channelsOf(at: Boot): Channel[] {
    this.#lines = new Map()
    return this.#parts.scenario.talk.channels.map(({ id, dedupesSends, textLengthMax }) => {
      const seen = this.#shown.get(id) as Sighting[]
      const line = loopback({ id, dedupesSends, textLengthMax, seen, fault: () => this.#fault })
      this.#lines.set(id, line)
      return { ...line, send: (message, signal) => this.#send(line, message, { at, signal }) }
    })
  }

  /** A gateway is up: all that was not acknowledged is handed on again. */
  connect(): void {
    for (const chat of this.#chats.values()) {
      chat.handing = undefined
      this.#handOn(chat)
    }
  }

  hasChat(sessionKey: string): boolean {
    return this.#chats.has(sessionKey)
  }

  /** Somebody comes by and writes once or a few times. */
  visit(name: string): void {
    const { scenario, time } = this.#parts
    const random = new Prng(`visit ${scenario.seed} ${name}`)
    const sessionKey = random.pick([...this.#chats.keys()])
    const count = random.int(1, 3)
    for (let number = 0; number < count; number += 1) {
      const note = writeNote({ token: `in/${name}.${number}`, depth: random.int(0, 2) })
      const text = random.chance(0.1) ? '/stop' : note
      time.after(random.span(1, 30_000), () => this.write(sessionKey, text))
    }
  }

  write(sessionKey: string, text: string): void {
    const chat = this.#chats.get(sessionKey) as Chat
    const messageId = `m${chat.letters.length + 1}`
    chat.letters.push({ channelId: chat.plan.id, chatId: chat.chatId, messageId, text })
    this.#parts.seen.counts.letters += 1
    this.#parts.seen.trace(`writes ${sessionKey} ${messageId} ${text}`)
    this.#handOn(chat)
  }

  #handOn(chat: Chat): void {
    const { boot, time, seen, scenario } = this.#parts
    const letter = chat.letters.find(one => one.ackedMs === undefined)
    const at = boot()
    if (chat.handing || !letter || at.dead) return
    chat.handing = at
    const random = new Prng(`hands ${scenario.seed} ${chat.plan.id} ${chat.chatId} ${letter.messageId} ${time.nowMs}`)
    const next = (delayMs: number) => {
      chat.handing = undefined
      time.after(delayMs, () => this.#handOn(chat))
    }
    const sessionKey = sessionOfChat(chat.plan.id, chat.chatId)
    if (letter.text === '/stop') seen.chatStops.push({ sessionKey, tree: treeOf(at.reader, sessionKey) })
    this.#inbound(letter).then(
      () => {
        if (at.dead || chat.handing !== at) return
        // It was taken, and the gateway dies before the channel can say so upstream.
        if (this.#befalls(random, 'crash')) {
          at.crash()
          return
        }
        seen.trace(`acknowledged ${letter.channelId} ${letter.chatId} ${letter.messageId}`)
        letter.ackedMs = time.nowMs
        if (this.#befalls(random, 'repeated')) time.after(random.span(1, 60_000), () => this.#repeat(letter))
        next(1)
      },
      error => {
        if (at.dead || chat.handing !== at) return
        seen.trace(`not taken ${letter.channelId} ${letter.chatId} ${letter.messageId} ${error}`)
        const mayFail = error instanceof ChannelError || ['STORE_FAILED', 'TIMEOUT'].includes(error.code)
        if (!mayFail) seen.violate('inbound', `${letter.messageId} of ${letter.chatId} was not taken: ${error}`)
        next(random.span(100, 5_000))
      },
    )
  }

  async #inbound({ channelId, ackedMs: _, ...message }: Letter): Promise<void> {
    const line = this.#lines.get(channelId) as Loopback
    await line.say({ ...message, from: { id: 'somebody' }, atMs: this.#parts.time.nowMs })
  }

  /** The channel lost what it was told, and hands on once more; nobody hears what comes of it. */
  #repeat(letter: Letter): void {
    if (!this.#parts.boot().dead) this.#inbound(letter).catch(() => undefined)
  }

  #befalls(random: Prng, fault: 'crash' | 'repeated'): boolean {
    return this.#parts.stormy() && random.chance(this.#parts.scenario.talk.faults[fault])
  }

  async #send(
    line: Loopback,
    message: OutboundMessage,
    { at, signal }: { at: Boot; signal: AbortSignal },
  ): Promise<{ id: string }> {
    this.#sends += 1
    const random = new Prng(`send ${this.#parts.scenario.seed} ${message.id} ${this.#sends}`)
    if (at.dead) return await never
    await pause(at.clock, random.span(1, 2_000), signal)
    if (at.dead) return await never
    if (signal.aborted) throw new ChannelError('unconfirmed', 'Nobody listens any more.')
    if (this.#befalls(random, 'crash')) {
      at.crash()
      return await never
    }
    this.#parts.seen.counts.sends += 1
    this.#parts.seen.trace(`sends ${line.id} ${message.id}`)
    this.#expectUnderWay(at, message)
    this.#fault = this.#drawFault(random, message)
    const sent = line.send(message, signal)
    sent.catch(() => undefined)
    this.#read(line.id, message, random)
    if (this.#befalls(random, 'crash')) {
      at.crash()
      return await never
    }
    const answer = await sent
    await pause(at.clock, random.span(1, 500), signal)
    return answer
  }

  #expectUnderWay(at: Boot, { id, text }: OutboundMessage): void {
    const row = ask(at.reader, SENDING).get(id) as { state: string; text: string } | undefined
    if (row?.state !== 'sending' || row.text !== text)
      this.#parts.seen.violate('outbox', `${id} goes out, and is ${row?.state ?? 'not there'} on disk`)
  }

  #drawFault(random: Prng, { id }: OutboundMessage): SendFault | undefined {
    if (!this.#parts.stormy()) return undefined
    const { lost, unanswered, hung, refused } = this.#parts.scenario.talk.faults
    if (random.chance(unanswered)) return { kind: 'unanswered' }
    if (random.chance(hung)) return { kind: 'hung' }
    if (random.chance(refused)) {
      this.refused.add(id)
      return { kind: 'refused' }
    }
    if (!random.chance(lost)) return undefined
    const retryAfterMs = random.pick([undefined, 500, 30_000, 90_000])
    if (retryAfterMs !== undefined) return { kind: 'lost', retryAfterMs }
    return { kind: random.pick(['lost', 'broken']) }
  }

  /** Whoever is told that a message may not have come can have it sent again. */
  #read(channelId: string, { id, chatId, text }: OutboundMessage, random: Prng): void {
    const [, again] = /\/resend (\S+)$/.exec(text) ?? []
    const isShown = this.shownIn(channelId).at(-1)?.messageId === id
    if (again === undefined || !isShown || !random.chance(0.5)) return
    const sessionKey = sessionOfChat(channelId, chatId)
    this.#parts.time.after(random.span(100, 60_000), () => this.write(sessionKey, `/resend ${again}`))
  }
}
