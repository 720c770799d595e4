// A reply that is shown while it is written: it ends as one message, whatever becomes of the channel, the turn or the
// gateway in between.
import { afterEach, describe, expect, test } from 'vitest'
import { type LoopbackOptions, loopback, type Sighting } from '../../src/channels/loopback/loopback.ts'
import type { ModelEvent } from '../../src/providers/model.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import { BEGIN_MS, type FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, text } from '../fakes/house.ts'

const INTERVAL_MS = 1_000
const OFFERS = { edits: { intervalMs: INTERVAL_MS }, typing: true } as const

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** A model whose words the test says, one by one. */
function speaker() {
  let wake: () => void = () => undefined
  const events: ModelEvent[] = []
  const put = (event: ModelEvent) => {
    events.push(event)
    wake()
  }
  const runner = inlineRunner(() => ({
    ref: 'test/model',
    async *stream({ signal }) {
      signal.addEventListener('abort', () => wake())
      while (!signal.aborted) {
        const event = events.shift()
        if (event) yield event
        else await new Promise<void>(resolve => (wake = resolve))
        if (event?.type === 'done') return
      }
    },
  }))
  return {
    runner,
    say: (words: string) => put({ type: 'delta', text: words }),
    call: (name: string, args: object) => put(calls({ name, args })),
    end: (words: string) => put(text(words)),
  }
}

async function chat(options: Partial<LoopbackOptions> & { house?: HouseOptions } = {}) {
  const model = speaker()
  const channel = loopback({ dedupesSends: false, offers: OFFERS, ...options })
  const house = await openHouse(() => text(''), { ...options.house, runner: model.runner, channels: [channel] })
  const write = async (words = 'tell me', more: object = {}) => {
    await channel.say({ messageId: words, chatId: 'c', from: { id: '1' }, text: words, atMs: BEGIN_MS, ...more })
    await settled()
  }
  /** Words, and the time that it takes to show them. */
  const hears = async (words: string, clock: FakeClock = house.clock) => {
    model.say(words)
    await settled()
    await clock.advance(2 * INTERVAL_MS)
  }
  return { model, channel, house, write, hears }
}
const texts = (seen: readonly Sighting[]) => seen.map(sighting => sighting.text)

describe('L4: a reply that is written slowly', () => {
  test('is one message that grows, and says all at the end', async () => {
    const { model, channel, house, write, hears } = await chat()
    open.push(house)
    await write()
    await hears('One. ')
    expect(texts(channel.seen)).toEqual(['One.…'])
    await hears('Two. ')
    expect(texts(channel.seen)).toEqual(['One. Two.…'])
    model.end('One. Two. Three.')
    await settled()
    expect(texts(channel.seen)).toEqual(['One. Two. Three.'])
    expect(await house.call('outbox.list')).toEqual({ sends: [] })
  })

  test('is changed no more often than the channel takes it, and typing is shown until its end', async () => {
    const { model, channel, house, write } = await chat()
    open.push(house)
    await write()
    const began = house.clock.now()
    for (let step = 0; step < 100; step += 1) {
      model.say('word ')
      await settled()
      await house.clock.advance(100)
    }
    const steps = (house.clock.now() - began) / INTERVAL_MS
    expect(channel.edits.length).toBeGreaterThan(steps / 3)
    expect(channel.edits.length).toBeLessThanOrEqual(steps)
    expect(channel.typed).toHaveLength(3)
    model.end('done')
    await settled()
    await house.clock.advance(60_000)
    expect(channel.typed).toHaveLength(3)
    expect(texts(channel.seen)).toEqual(['done'])
  })

  test('is changed less often in a group, where the channel says so', async () => {
    const offers = { edits: { intervalMs: INTERVAL_MS, groupIntervalMs: 4 * INTERVAL_MS } }
    const { model, channel, house, write } = await chat({ offers })
    open.push(house)
    const changesOf = async (words: string, more: object) => {
      const before = channel.edits.length
      await write(words, more)
      for (let step = 0; step < 120; step += 1) {
        model.say('word ')
        await settled()
        await house.clock.advance(100)
      }
      model.end('done')
      await settled()
      await house.clock.advance(60_000)
      return channel.edits.length - before
    }
    const slow = await changesOf('tell us', { chatId: 'g', group: { id: 'g', addressed: true } })
    expect(slow).toBeGreaterThan(0)
    expect(slow).toBeLessThanOrEqual(4)
    expect(await changesOf('tell me', {})).toBeGreaterThan(2 * slow)
  })

  test('shows no typing while its person is asked, and shows it again when the turn goes on', async () => {
    const processes = {
      find: async (name: string) => `/usr/bin/${name}`,
      run: async () => ({ exitCode: 0, signal: null, output: '', cut: 0 }),
    }
    const { model, channel, house, write } = await chat({
      house: { config: { tools: { exec: { security: 'allowlist' } } }, world: { processes } },
    })
    open.push(house)
    await write()
    model.call('exec', { command: 'git push' })
    await settled()
    expect(texts(channel.seen).join()).toContain('git push')
    const { length } = channel.typed
    await house.clock.advance(60_000)
    expect(channel.typed).toHaveLength(length)
    await write('yes')
    await house.clock.advance(10_000)
    expect(channel.typed.length).toBeGreaterThan(length)
    model.end('done')
    await settled()
    const after = channel.typed.length
    await house.clock.advance(60_000)
    expect(channel.typed).toHaveLength(after)
  })

  test('of many pieces takes the preview for its first', async () => {
    const { model, channel, house, write, hears } = await chat({ textLengthMax: 100 })
    open.push(house)
    await write()
    await hears('word '.repeat(100))
    expect(channel.seen).toHaveLength(1)
    model.end('word '.repeat(100).trim())
    await settled()
    expect(channel.seen.length).toBeGreaterThan(4)
    expect(texts(channel.seen).join(' ').split(/\s+/)).toEqual(Array.from({ length: 100 }, () => 'word'))
  })

  test('that is quick has no preview', async () => {
    const { model, channel, house, write } = await chat()
    open.push(house)
    await write()
    model.say('quick')
    await settled()
    model.end('quick')
    await settled()
    await house.clock.advance(10 * INTERVAL_MS)
    expect(texts(channel.seen)).toEqual(['quick'])
    expect(channel.edits).toEqual([])
  })

  test('and is stopped says so where it was shown', async () => {
    const { channel, house, write, hears } = await chat()
    open.push(house)
    await write()
    await hears('One. ')
    await write('/stop')
    await settled()
    expect(texts(channel.seen)).toEqual([expect.stringMatching(/^One\./), 'Stopped.'])
    await house.clock.advance(60_000)
    expect(texts(channel.seen)).toEqual(['One.… (stopped)', 'Stopped.'])
  })
})

test('a turn that was stopped just before the gateway has nothing shown of it when the store is closed', async () => {
  const { channel, house, write, hears } = await chat()
  await write()
  await hears('One. ')
  await write('/stop')
  await house.close()
  // What is asked of a closed store would end the gateway that has come after this one in the process.
  await house.clock.advance(60_000)
  expect(texts(channel.seen)).toEqual([expect.stringMatching(/^One\./), 'Stopped.'])
})

describe('L4: exactly one reply', () => {
  test('a preview of which nobody knows whether it arrived is not changed, and not asked about', async () => {
    const { model, channel, house, write, hears } = await chat({
      fault: ({ id }) => (id.startsWith('preview:') ? { kind: 'unanswered' } : undefined),
    })
    open.push(house)
    await write()
    await hears('One. ')
    await hears('Two. ')
    model.end('One. Two.')
    await settled()
    await house.clock.advance(60_000)
    expect(texts(channel.seen)).toEqual(['One.…', 'One. Two.'])
  })

  test('a preview that cannot be changed any more is followed by the reply', async () => {
    let refuses = false
    const { model, channel, house, write, hears } = await chat({
      fault: ({ sentId }) => (refuses && sentId !== undefined ? { kind: 'refused' } : undefined),
    })
    open.push(house)
    await write()
    await hears('One. ')
    refuses = true
    model.end('One. Two.')
    await settled()
    await house.clock.advance(60_000)
    expect(texts(channel.seen)).toEqual(['One.…', 'One. Two.'])
  })

  test('a change that was lost or not answered is tried again', async () => {
    const faults = [{ kind: 'lost' }, { kind: 'unanswered' }, { kind: 'hung' }] as const
    let tries = 0
    const { model, channel, house, write, hears } = await chat({
      fault: ({ sentId, text: words }) => {
        if (sentId === undefined || words !== 'One. Two.') return undefined
        tries += 1
        return faults[tries - 1]
      },
    })
    open.push(house)
    await write()
    await hears('One. ')
    model.end('One. Two.')
    await settled()
    await house.clock.advance(120_000)
    expect(texts(channel.seen)).toEqual(['One. Two.'])
    expect(tries).toBe(4)
  })

  test('a gateway that dies while the reply takes its preview’s place has it take it after all, once', async () => {
    const seen: Sighting[] = []
    const first = await chat({ seen, fault: ({ sentId }) => (sentId === undefined ? undefined : { kind: 'hung' }) })
    await first.write()
    await first.hears('One. ')
    first.model.end('One. Two.')
    await settled()
    const { clock, folder } = first.house
    await first.house.leave()
    const { house } = await chat({ seen, house: { clock, folder } })
    open.push(house)
    await settled()
    await clock.advance(60_000)
    expect(texts(seen)).toEqual(['One. Two.'])
    expect(await house.call('outbox.list')).toEqual({ sends: [] })
  })

  test('a gateway that dies before the reply says it after the start, in the preview’s place', async () => {
    const seen: Sighting[] = []
    const first = await chat({ seen })
    await first.write()
    await first.hears('One. ')
    const { clock, folder } = first.house
    await first.house.leave()
    const { house, model } = await chat({ seen, house: { clock, folder } })
    open.push(house)
    await settled()
    model.end('One. Two.')
    await settled()
    await clock.advance(60_000)
    expect(texts(seen)).toEqual(['One. Two.'])
  })
})
