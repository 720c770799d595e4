// The promises of the Model port: deltas that add up, one last event, no throw, an abort that is heard, ids that differ.
import { describe, expect, it } from 'vitest'
import type { ModelMessage } from '../../src/providers/model.ts'
import { createOfflineModel } from '../../src/providers/offline/offline-model.ts'
import { ask, NOW, request, ZONE } from './harness.ts'

describe('the stream', () => {
  it('gives several small deltas that add up to the text', async () => {
    const { events, text } = await ask('help')
    const deltas = events.flatMap(event => (event.type === 'delta' ? [event.text] : []))
    expect(deltas.length).toBeGreaterThan(10)
    expect(deltas.join('')).toBe(text)
    expect(events.at(-1)?.type).toBe('done')
  })

  it('is called sluice/offline', () => {
    expect(createOfflineModel({ now: () => NOW, zone: ZONE }).ref).toBe('sluice/offline')
  })

  it.each([0, 2])('ends with failed/aborted when it is aborted after %i deltas', async count => {
    const controller = new AbortController()
    if (count === 0) controller.abort()
    const model = createOfflineModel({ now: () => NOW, zone: ZONE })
    const messages: ModelMessage[] = [{ role: 'user', text: 'help' }]
    const types: string[] = []
    for await (const event of model.stream({
      system: '',
      zone: 'UTC',
      messages,
      tools: [],
      signal: controller.signal,
    })) {
      types.push(event.type === 'failed' ? event.kind : event.type)
      if (types.length === count) controller.abort()
    }
    expect(types).toEqual([...Array.from({ length: count }, () => 'delta'), 'aborted'])
  })

  it('makes no call once it is aborted', async () => {
    const { calls, events } = await ask('remind me at 18:00 to eat', { signal: AbortSignal.abort() })
    expect(calls).toEqual([])
    expect(events).toMatchObject([{ type: 'failed', kind: 'aborted' }])
  })

  it('gives ids that the conversation does not have yet', async () => {
    const first = await ask('list jobs')
    const taken = first.calls.map(call => ({ ...call, id: 'offline-3-0' }))
    const messages: ModelMessage[] = [
      { role: 'user', text: 'x' },
      { role: 'assistant', text: 'y', calls: taken },
      { role: 'user', text: 'list jobs' },
    ]
    expect((await request(messages)).calls.map(call => call.id)).toEqual(['offline-3-0-again'])
  })

  it('answers the same to the same', async () => {
    expect(await ask('every weekday at 9 say hi')).toEqual(await ask('every weekday at 9 say hi'))
  })

  it('offers help where nobody has said anything', async () => {
    expect((await request([])).text).toContain('I understand plain requests')
  })

  it.each(['not json', '', '[]', 'null', '{"jobs":[null,{"id":1},{"id":"a"}]}'])(
    'survives the tool result %j',
    async text => {
      const messages: ModelMessage[] = [
        { role: 'user', text: 'list jobs' },
        { role: 'assistant', text: '', calls: [{ id: 'x', name: 'cron', args: { action: 'list' } }] },
        { role: 'tool', callId: 'x', name: 'cron', text, isError: false },
      ]
      expect((await request(messages)).events.at(-1)?.type).toBe('done')
    },
  )
})
