// A turn that is gone on with streams anew under a new run id, and its first id still works.
import { expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { runOfStream, streamId } from '../../src/protocol/events.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import { settled } from '../fakes/clock.ts'
import { openHouse, text } from '../fakes/house.ts'

test('the ids of streams: the first attempt has the id of its run, and each leads back to it', () => {
  const ids = [1, 2, 12].map(attempt => streamId({ runId: 'r~x', attempt }))
  expect(ids).toEqual(['r~x', 'r~x~2', 'r~x~12'])
  expect(ids.map(runOfStream)).toEqual(['r~x', 'r~x', 'r~x'])
})

test('L2: the old stream ends as aborted and names the new one; waiting and stopping work by either id', async () => {
  const gate = Promise.withResolvers<void>()
  const answering = inlineRunner(() => ({
    ref: 'test/model',
    async *stream({ signal }) {
      yield { type: 'delta', text: 'half' }
      signal.addEventListener('abort', () => gate.resolve())
      await gate.promise
      yield signal.aborted ? { type: 'failed', kind: 'aborted', message: 'aborted' } : text('whole')
    },
  }))
  let runs = 0
  const house = await openHouse(() => text('never'), {
    runner: {
      ...answering,
      run: async (...args) => {
        runs += 1
        if (runs > 1) return await answering.run(...args)
        args[1].delta('ha')
        throw new SluiceError('UNAVAILABLE', 'thread gone')
      },
    },
  })
  await house.call('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'r1' })
  await settled()
  const told = () =>
    house.events.flatMap(({ event, payload }) => {
      const { runId, state, stream, data, resumedAs } = payload as Record<string, unknown>
      const phase = (data as { phase?: string } | undefined)?.phase
      return event === 'chat' || stream === 'lifecycle' ? [[runId, state ?? phase, resumedAs]] : []
    })
  expect(told()).toEqual([
    ['r1', 'start', undefined],
    ['r1', 'end', undefined],
    ['r1', 'aborted', 'r1~2'],
    ['r1~2', 'start', undefined],
  ])
  const waits = ['r1', 'r1~2'].map(runId => house.call('agent.wait', { runId }))
  await settled()
  expect(await house.call('chat.abort', { sessionKey: 'main', runId: 'r1~2' })).toMatchObject({ runIds: ['r1'] })
  expect(await Promise.all(waits)).toMatchObject([{ status: 'error' }, { status: 'error' }])
  expect(told().at(-1)).toMatchObject(['r1~2', 'aborted', undefined])
  await house.close()
})

test('L5: a turn that is stopped between two attempts ends the stream of its last one', async () => {
  const losses = new Map<string, () => void>()
  const house = await openHouse(() => text('never'), {
    config: { agents: { defaults: { maxConcurrent: 1 } } },
    runner: {
      ...inlineRunner(() => {
        throw new Error('not used')
      }),
      run: ({ runId }) => {
        const { promise, reject } = Promise.withResolvers<never>()
        losses.set(runId, () => reject(new SluiceError('UNAVAILABLE', 'thread gone')))
        return promise
      },
    },
  })
  for (const runId of ['a', 'b'])
    await house.call('chat.send', { sessionKey: runId, message: 'hi', idempotencyKey: runId })
  // Whoever is lost makes way for the other: there is one place.
  for (const runId of ['a', 'b', 'a']) {
    await settled()
    losses.get(runId)?.()
  }
  await settled()
  expect(house.store.read.run('a')).toMatchObject({ state: 'queued', attempt: 2 })
  await house.call('chat.abort', { sessionKey: 'a' })
  const ends = house.events.flatMap(({ event, payload }) => {
    const { runId, stream, data } = payload as { runId: string; stream?: string; data?: { phase?: string } }
    return event === 'agent' && stream === 'lifecycle' && data?.phase === 'end' ? [runId] : []
  })
  expect(ends.filter(id => id.startsWith('a'))).toEqual(['a', 'a~2'])
  await house.close()
})
