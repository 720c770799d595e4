// An answer that breaks off after words were shown: the turn fails and says so, the words stay, and a message that came
// meanwhile is not lost with it. One without a word, after calls, is an end like others.
import { expect, test } from 'vitest'
import { calls, openHouse, text } from '../fakes/house.ts'

test('L2: what was said of an answer that broke off is kept, and what a person wrote meanwhile is answered', async () => {
  const shown = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const house = await openHouse(async () => {
    shown.resolve()
    await goOn.promise
    return { type: 'failed', kind: 'cut-off', message: 'It broke off.', said: 'half a sen' }
  })
  const send = (idempotencyKey: string) =>
    house.call('chat.send', { sessionKey: 'main', message: idempotencyKey, idempotencyKey })
  const wait = (runId: string) => house.call('agent.wait', { runId, timeoutMs: 60_000 })
  await send('one')
  await shown.promise
  await send('two')
  house.play(({ messages }) => text(`${messages.length} messages`))
  goOn.resolve()
  await wait('one')
  expect(house.store.read.run('one')).toMatchObject({ state: 'failed', reply: 'half a sen', error: 'It broke off.' })
  await wait('two')
  expect(house.store.read.run('two')).toMatchObject({ state: 'ok', reply: '3 messages' })
  const { messages } = await house.call('chat.history', { sessionKey: 'main' })
  expect(messages.map(({ content }) => content.map(part => part.text).join(''))).toEqual([
    'one',
    'half a sen',
    'two',
    '3 messages',
  ])
  await house.close()
})

test('who asked is told that it is done where the model says nothing after its calls', async () => {
  const house = await openHouse(({ messages }) =>
    messages.at(-1)?.role === 'tool' ? text('') : calls({ name: 'agents_list', args: {} }),
  )
  await house.call('chat.send', { sessionKey: 'main', message: 'look', idempotencyKey: 'one' })
  await house.call('agent.wait', { runId: 'one', timeoutMs: 60_000 })
  const run = house.store.read.run('one')
  expect(run).toMatchObject({ state: 'ok', reply: 'Done. The model had nothing to add.' })
  await house.close()
})
