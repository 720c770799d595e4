// The outbox, the deliverer and the loopback channel under drawn faults and crashes at any commit, against a tiny model
// of what people should have seen: what was acknowledged, texts and the files that go with them, once and in order, or a
// report that says what is not known.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SendFault, Sighting } from '../../src/channels/loopback/loopback.ts'
import { chunksOf } from '../../src/store/chunks.ts'
import type { Store } from '../../src/store/port.ts'
import type { SendRow } from '../../src/store/rows.ts'
import { settled } from '../fakes/clock.ts'
import { CHANNEL, type DeliveryBench, deliveryBench, type Life } from './bench.ts'

const TEXT_LENGTH_MAX = 100

interface Text {
  readonly kind: 'reply' | 'control'
  readonly chat: number
  readonly pieces: number
  /** Go with a reply. */
  readonly files: number
}
interface Crash {
  readonly afterCommits: number
  /** Before its commit, or after it and before anyone hears of it. */
  readonly isCommitted: boolean
}
interface Scenario {
  readonly dedupesSends: boolean
  readonly steps: readonly (Text | { readonly passMs: number })[]
  /** What the next sends meet, whatever they are. */
  readonly faults: readonly (SendFault | undefined)[]
  /** The end of each life but the last. */
  readonly crashes: readonly Crash[]
}

const fault = fc.oneof(
  fc.constantFrom<SendFault | undefined>(undefined, { kind: 'lost' }, { kind: 'lost', retryAfterMs: 90_000 }),
  fc.constantFrom<SendFault>({ kind: 'refused' }, { kind: 'unanswered' }, { kind: 'hung' }, { kind: 'broken' }),
)
const textStep = fc.record<Text>({
  kind: fc.constantFrom('reply', 'control'),
  chat: fc.integer({ min: 0, max: 2 }),
  pieces: fc.integer({ min: 1, max: 3 }),
  files: fc.integer({ min: 0, max: 2 }),
})
const scenarios = fc.record<Scenario>({
  dedupesSends: fc.boolean(),
  steps: fc.array(
    fc.oneof({ arbitrary: textStep, weight: 3 }, fc.record({ passMs: fc.constantFrom(500, 3_000, 70_000) })),
    { minLength: 2, maxLength: 10 },
  ),
  faults: fc.array(fault, { maxLength: 12 }),
  crashes: fc.array(fc.record({ afterCommits: fc.integer({ min: 1, max: 14 }), isCommitted: fc.boolean() }), {
    maxLength: 4,
  }),
})

/** Lives that follow each other; the present one is dead once its crash has come. */
class Lives {
  readonly #bench: DeliveryBench
  readonly #crashes: Crash[]
  readonly #faults: (SendFault | undefined)[]
  readonly #dedupesSends: boolean
  #life: Life | undefined
  #isDead = true

  constructor(bench: DeliveryBench, { crashes, faults, dedupesSends }: Scenario) {
    this.#bench = bench
    this.#crashes = [...crashes]
    this.#faults = [...faults]
    this.#dedupesSends = dedupesSends
  }

  async present(): Promise<Life> {
    while (this.#isDead || !this.#life) {
      if (this.#life) await this.#bench.end(this.#life)
      this.#life = undefined
      this.#life = await this.#begin()
    }
    return this.#life
  }

  async #begin(): Promise<Life | undefined> {
    const crash = this.#crashes.shift()
    let commits = 0
    let isDead = false
    this.#isDead = false
    const commitOrDie = (commit: () => void) => {
      commits += 1
      if (crash && commits === crash.afterCommits) {
        if (crash.isCommitted) commit()
        isDead = true
        this.#isDead = true
      }
      if (isDead) throw Object.assign(new Error('the process is dead'), { code: 'SQLITE_IOERR' })
      commit()
    }
    const options = {
      dedupesSends: this.#dedupesSends,
      textLengthMax: TEXT_LENGTH_MAX * 10,
      // A dead process sends nothing.
      fault: (): SendFault | undefined => (isDead ? { kind: 'lost' } : this.#faults.shift()),
    }
    return await this.#bench.begin(options, { hooks: { commit: commitOrDie } }).catch(() => undefined)
  }
}

function wordsOf(id: string, pieces: number): string {
  return Array.from({ length: 16 * pieces - 8 }, (_, n) => `${id}.${n}`.padEnd(5, '_')).join(' ')
}

const contentOf = (name: string) => Buffer.from(`the bytes of ${name}`)
/** The names of the files that go with a text. */
function namesOf(id: string, { kind, files }: Text): string[] {
  return kind === 'control' ? [] : Array.from({ length: files }, (_, n) => `${id}.file${n}`)
}

/** Owes a text to a chat; resolves when that was acknowledged. */
async function owe({ store }: Life, id: string, owed: { text: string; step: Text; nowMs: number }): Promise<void> {
  const { text, step, nowMs } = owed
  const sessionKey = `agent:main:chat${step.chat}`
  const route = { channelId: CHANNEL, chatId: `chat${step.chat}`, textLengthMax: TEXT_LENGTH_MAX }
  if (step.kind === 'control') {
    await store.write.queueControl({ id, sessionKey, route, text, nowMs })
    return
  }
  const run = { runId: id, sessionKey, echoKey: sessionKey, agentId: 'main', text: 'hello', source: 'chat' } as const
  await store.write.acceptMessage({ run, route, nowMs })
  const { value } = await store.write.claimRun({ runId: id, epoch: store.epoch, nowMs, events: [] })
  const fence = { runId: id, epoch: store.epoch, attempt: value?.attempt ?? 0 }
  const files = namesOf(id, step).map(name => ({ name, mime: 'text/plain', content: contentOf(name) }))
  await store.write.endRun({ fence, end: { state: 'ok', reply: text, files }, nowMs, events: [] })
}

interface Played {
  readonly store: Store
  /** Pieces of acknowledged texts by their send's id. */
  readonly expected: ReadonlyMap<string, string>
  readonly dedupesSends: boolean
}

async function play(bench: DeliveryBench, scenario: Scenario): Promise<Played> {
  const lives = new Lives(bench, scenario)
  const expected = new Map<string, string>()
  for (const [n, step] of scenario.steps.entries()) {
    const life = await lives.present()
    if ('passMs' in step) await bench.clock.advance(step.passMs)
    else {
      const [id, text] = [`t${n}`, wordsOf(`t${n}`, step.pieces)]
      const isTaken = await owe(life, id, { text, step, nowMs: bench.clock.now() }).then(
        () => true,
        () => false,
      )
      const textId = step.kind === 'control' ? id : `reply:${id}`
      const pieces = [...chunksOf(text, TEXT_LENGTH_MAX), ...namesOf(id, step)]
      for (const [piece, words] of pieces.entries()) if (isTaken) expected.set(`${textId}#${piece + 1}`, words)
      life.deliverer.poke()
      await settled()
    }
  }
  for (let minute = 0; minute < 40; minute += 1) {
    await lives.present()
    await bench.clock.advance(60_000)
  }
  return { store: (await lives.present()).store, expected, dedupesSends: scenario.dedupesSends }
}

/** A send that is over: seen once; or said to be failed, and not seen; or reported as not known. */
function judge(row: SendRow, sightings: number, { store, dedupesSends }: Played): string {
  const doubt = store.read.send(`doubt:${row.id}:${row.attempt}#1`)
  switch (row.state) {
    case 'sent':
      return sightings === 1 && !doubt ? 'ok' : `sent, but seen ${sightings} times`
    case 'failed':
      // An earlier attempt of one that is deduped may have been seen, and its answer lost, before the chat was closed.
      return sightings <= (dedupesSends ? 1 : 0) ? 'ok' : `failed, but seen ${sightings} times`
    case 'unconfirmed':
      if (sightings > 1) return `unconfirmed, and seen ${sightings} times`
      return doubt || row.source === 'doubt' ? 'ok' : 'unconfirmed, and nobody was told'
    default:
      return `left ${row.state}`
  }
}

function expectAsOwed({ text, file }: Sighting, row: SendRow): void {
  expect(file ? file.name : text).toBe(row.text)
  expect(file && Buffer.from(file.bytes)).toEqual(row.file && contentOf(row.file.name))
}

function audit(bench: DeliveryBench, played: Played): void {
  const { store, expected } = played
  const ids = new Set([...expected.keys(), ...bench.seen.map(({ messageId }) => messageId)])
  for (const { id } of store.read.openSends(500)) ids.add(id)
  for (const id of ids) {
    const row = store.read.send(id)
    if (!row) throw new Error(`${id} was acknowledged or seen, and is not in the outbox`)
    const sightings = bench.seen.filter(({ messageId }) => messageId === id)
    expect(`${id} ${judge(row, sightings.length, played)}`).toBe(`${id} ok`)
    for (const shown of sightings) expectAsOwed(shown, row)
    if (expected.has(id)) expect(row.text).toBe(expected.get(id))
  }
  // Texts of one line were owed in the order of their steps, and their pieces in theirs.
  const orderOf = (id: string) =>
    id
      .split(/[^0-9]+/)
      .filter(Boolean)
      .map(Number) as [number, number]
  for (const chatId of new Set(bench.seen.map(shown => shown.chatId)))
    for (const isReply of [true, false]) {
      const line = bench.seen.filter(
        ({ messageId, ...shown }) =>
          shown.chatId === chatId && !messageId.startsWith('doubt') && messageId.startsWith('reply') === isReply,
      )
      const order = line.map(({ messageId }) => orderOf(messageId))
      expect(order).toEqual([...order].sort((a, b) => a[0] - b[0] || a[1] - b[1]))
    }
}

test('L4: whatever fails and wherever it dies, people see each text once and in order, or are told of the doubt', async () => {
  const states = new Set<string>()
  await fc.assert(
    fc.asyncProperty(scenarios, async scenario => {
      const bench = await deliveryBench()
      try {
        const played = await play(bench, scenario)
        const { store } = played
        audit(bench, played)
        for (const row of store.read.openSends(500)) states.add(row.file ? `file ${row.state}` : row.state)
        if (bench.seen.some(({ file }) => file)) states.add('file sent')
        if (scenario.dedupesSends) expect(store.read.openSends(500).filter(row => row.state !== 'failed')).toEqual([])
      } finally {
        await bench.close()
      }
    }),
    { numRuns: 120 },
  )
  // The scenarios reach what they are meant to reach.
  expect([...states].sort()).toEqual(['failed', 'file failed', 'file sent', 'file unconfirmed', 'unconfirmed'])
}, 120_000)
