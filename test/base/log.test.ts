// The log's file: no line is lost when it is put aside, no more files are kept than was said, and what is read is the
// present one.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLog } from '../../src/base/node/log.ts'
import { tailLog } from '../../src/methods/logs.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-log-'))
  path = join(folder, 'logs', 'gateway.log')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const BYTES_MAX = 1_000
const names = () => readdirSync(join(folder, 'logs')).sort()
const numbersIn = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line).number as number)

/** Lines are on disk some turns of the loop later: until the last one is, or the file it was in is gone. */
async function written(log: ReturnType<typeof openLog>, from: number, until: number): Promise<void> {
  for (let number = from; number < until; number += 1) {
    log.log('info', 'a line', { number })
    while (![path, `${path}.1`].some(file => existsSync(file) && readFileSync(file, 'utf8').includes(`:${number},`))) {
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}

test('what has grown is put aside, whole lines in order, and the oldest goes', async () => {
  const log = openLog(path, { level: 'info', bytesMax: BYTES_MAX, filesMax: 2 })
  await written(log, 0, 100)
  expect(names()).toEqual(['gateway.log', 'gateway.log.1', 'gateway.log.2'])
  const kept = [`${path}.2`, `${path}.1`, path].flatMap(numbersIn)
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => 100 - kept.length + index))
  expect(kept.length).toBeGreaterThan(15)
  for (const file of [`${path}.1`, `${path}.2`]) {
    expect(statSync(file).size).toBeLessThan(BYTES_MAX + 200)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  }
})

test('who reads on from a cursor is told that another file was begun', async () => {
  const log = openLog(path, { level: 'info', bytesMax: BYTES_MAX, filesMax: 1 })
  await written(log, 0, 8)
  const before = tailLog(log.written, {})
  await written(log, 8, 15)
  const after = tailLog(log.written, { cursor: before.cursor })
  expect(after).toMatchObject({ file: path, reset: true })
  expect(JSON.parse(after.lines.at(-1) as string)).toMatchObject({ number: 14 })
})

test('bounds and level are taken up at once; with none kept only the present file is there', async () => {
  const log = openLog(path, { level: 'info', bytesMax: 1_000_000, filesMax: 3 })
  await written(log, 0, 30)
  expect(names()).toEqual(['gateway.log'])
  log.set({ level: 'warn', bytesMax: BYTES_MAX, filesMax: 0 })
  log.log('info', 'a line that is not kept', { number: 30 })
  log.set({ level: 'info', bytesMax: BYTES_MAX, filesMax: 0 })
  log.log('info', 'a line that goes with its file', { number: 31 })
  await written(log, 32, 34)
  expect(numbersIn(path)).toEqual([32, 33])
  expect(names()).toEqual(['gateway.log'])
})

test('how large the file was before the start counts', async () => {
  const bounds = { level: 'info', bytesMax: BYTES_MAX, filesMax: 1 }
  await written(openLog(path, bounds), 0, 9)
  expect(names()).toEqual(['gateway.log'])
  await written(openLog(path, bounds), 9, 15)
  expect(names()).toEqual(['gateway.log', 'gateway.log.1'])
})
