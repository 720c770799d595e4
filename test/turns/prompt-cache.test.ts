// What providers cache is the beginning of a request as far as it is the same as before: so all that a session's next turn
// sends begins with what the last one sent, however much later it is.
import { afterEach, expect, test } from 'vitest'
import { MINUTE } from '../../src/base/durations.ts'
import { toPrompt } from '../../src/providers/ai-sdk/prompt.ts'
import { FakeClock } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

let house: House | undefined
afterEach(() => house?.close())

test('the next turn begins with all that the last one sent, and says when each message was written', async () => {
  const asks: Parameters<Play>[0][] = []
  const clock = new FakeClock()
  house = await openHouse(
    ask => {
      asks.push(ask)
      return asks.length === 1 ? calls({ name: 'session_status', args: {} }) : text(`answer ${asks.length}`)
    },
    { clock },
  )
  const say = (message: string) => house?.call('agent', { message, sessionKey: 'main', idempotencyKey: message })
  await say('first')
  const firstMs = clock.now()
  await clock.advance(17 * MINUTE)
  await say('second')
  expect(asks).toHaveLength(3)
  const [, before, after] = asks.map(ask => toPrompt({ ...ask, zone: 'UTC', tools: [] }, {}))
  expect(after?.slice(0, before?.length)).toEqual(before)
  const minute = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
  const dated = (from: number, words: string) => expect.stringMatching(new RegExp(`${minute(from)}.*\\] ${words}$`))
  expect(after?.[1]?.content).toEqual([{ type: 'text', text: dated(firstMs, 'first') }])
  expect(after?.at(-1)?.content).toEqual([{ type: 'text', text: dated(clock.now(), 'second') }])
})
