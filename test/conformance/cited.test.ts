// Every fact that is claimed is shown by a test of this folder, once.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { REQUIREMENTS } from './requirements.ts'

test('every requirement is cited by one test, and every citation is a requirement', () => {
  const folder = new URL('.', import.meta.url)
  const files = readdirSync(folder).filter(name => name.endsWith('.test.ts'))
  const cited = files.flatMap(name =>
    [...readFileSync(new URL(name, folder), 'utf8').matchAll(/\bconformance\('([^']+)'/g)].map(([, id]) => id),
  )
  expect(cited.sort()).toEqual(Object.keys(REQUIREMENTS).sort())
})
