// The shapes in which a bound counts the wrong time: work that nothing ends, time in a queue counted as work, the time of
// the one waited for counted as the time of the one who waits. The gateway's own bound passes; no test sleeps.
import { expect, test } from 'vitest'
import { Gate, resultOf } from '../e2e/scripted-model.ts'
import { atEachLimit, type House, send } from './house.ts'

const WORK_SECONDS_MAX = 2
/** Far more than a turn over a scripted model works, and less than the bound above. */
const LESS_MS = 1_500

const stuckForever = () => new Gate().hold({ text: 'never' })

const bounded = ({ client }: House, sessionKey: string, idempotencyKey: string) =>
  client.call('chat.send', { sessionKey, message: 'begin', idempotencyKey, timeoutMs: LESS_MS })

atEachLimit(
  house => {
    test('WAIT-23 W6: a turn whose model says nothing ends at its bound; who waited in line has lost no time by it', async () => {
      const { client, model } = house
      model.script('agent:main:stuck', stuckForever(), { text: 'still in time' })
      await house.chat('stuck', 'begin', 'stuck-1')
      await bounded(house, 'stuck', 'stuck-2')
      expect(await client.events.ended('stuck-1')).toMatchObject({ state: 'aborted', stopReason: 'timeout' })
      expect(await client.call('agent.wait', { runId: 'stuck-1' })).toMatchObject({ status: 'timeout' })
      expect(await house.reply('stuck-2')).toBe('still in time')
    })

    test('WAIT-23 W5 W6: the time of the one waited for is not the time of the one who waits', async () => {
      const { model } = house
      model.script('agent:main:slow', stuckForever())
      model.script('agent:main:patient', send('slow'), ask => ({ text: `slow: ${resultOf(ask, 0).status}` }))
      await bounded(house, 'patient', 'patient-1')
      expect(await house.reply('patient-1')).toBe('slow: error')
    })
  },
  { defaults: { timeoutSeconds: WORK_SECONDS_MAX } },
)
