// What was made of a choice is kept, and a changed choice is another.
import { expect, test } from 'vitest'
import type { ServedChoice } from '../../src/providers/choice.ts'
import { keptLinks, LINKS_MAX } from '../../src/providers/kept-links.ts'
import type { Model } from '../../src/providers/model.ts'

const choice = (apiKey: string): ServedChoice => ({
  ...{ kind: 'openai-completions', ref: 'some/one', provider: 'some', modelId: 'one' },
  ...{ baseUrl: 'http://127.0.0.1:1/v1', apiKey, silenceMsMax: 1_000 },
})

function counted() {
  const made: string[] = []
  const linkOf = keptLinks(async link => {
    made.push((link as ServedChoice).apiKey ?? '')
    const model: Model = { ref: link.ref, stream: () => Promise.reject(new Error('nobody asks it')) as never }
    return model
  })
  return { made, linkOf }
}

test('an equal choice is served by the model that was made for it, a changed key by another', async () => {
  const { made, linkOf } = counted()
  const first = await linkOf(choice('one'))
  expect(await linkOf(choice('one'))).toBe(first)
  expect(await linkOf(choice('two'))).not.toBe(first)
  expect(made).toEqual(['one', 'two'])
})

test('as many as the limit are kept, the oldest goes', async () => {
  const { made, linkOf } = counted()
  for (let ordinal = 0; ordinal <= LINKS_MAX; ordinal += 1) await linkOf(choice(`key ${ordinal}`))
  await linkOf(choice(`key ${LINKS_MAX}`))
  await linkOf(choice('key 1'))
  expect(made).toHaveLength(LINKS_MAX + 1)
  await linkOf(choice('key 0'))
  expect(made).toHaveLength(LINKS_MAX + 2)
})

test('what could not be made is made anew', async () => {
  let tried = 0
  const linkOf = keptLinks(async () => {
    tried += 1
    throw new Error(`try ${tried}`)
  })
  await expect(linkOf(choice('one'))).rejects.toThrow('try 1')
  await expect(linkOf(choice('one'))).rejects.toThrow('try 2')
})
