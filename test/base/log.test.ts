// The log's file: no line is lost when it is put aside, no more files are kept than was said, and who reads on across
// files is shown each line once.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLog, WAITING_LENGTH_MAX } from '../../src/base/node/log.ts'
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
/** Of our lines; a new file's first one has none. */
const numbersOf = (lines: readonly string[]) =>
  lines.flatMap(line => (line.includes('"number"') ? [JSON.parse(line).number as number] : []))
const numbersIn = (file: string) => numbersOf(readFileSync(file, 'utf8').split('\n'))
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
const turnOfTheLoop = () => new Promise(resolve => setImmediate(resolve))

/** Lines are on disk some turns of the loop later: until the last one is, or the file it was in is gone. */
async function written(log: ReturnType<typeof openLog>, from: number, until: number): Promise<void> {
  for (let number = from; number < until; number += 1) {
    log.log('info', 'a line', { number })
    while (![path, `${path}.1`].some(file => existsSync(file) && readFileSync(file, 'utf8').includes(`:${number},`))) {
      await turnOfTheLoop()
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

class Follower {
  readonly seen: number[] = []
  #cursor = 0

  ask(log: ReturnType<typeof openLog>): void {
    const tail = tailLog(log.written, { cursor: this.#cursor, limit: 5_000, maxBytes: 1_000_000 })
    expect([tail.reset, tail.truncated]).toEqual([undefined, undefined])
    this.seen.push(...numbersOf(tail.lines))
    this.#cursor = tail.cursor
  }
}

test('who follows is shown each line once and in order, whenever it asks, whatever is put aside and started anew', async () => {
  const bounds = { level: 'info', bytesMax: BYTES_MAX, filesMax: 100 }
  const step = fc.record({ lines: fc.nat(12), turns: fc.nat(6), asks: fc.boolean(), restarts: fc.nat(9) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
      let log = openLog(path, bounds)
      const follower = new Follower()
      let count = 0
      const onDisk = async () => {
        while (numbersOf(tailLog(log.written, { maxBytes: 1_000_000 }).lines).length < count) await turnOfTheLoop()
      }
      for (const { lines, turns, asks, restarts } of steps) {
        for (const _ of upTo(lines)) log.log('info', 'a line', { number: count++ })
        for (const _ of upTo(turns)) await turnOfTheLoop()
        if (asks) follower.ask(log)
        if (restarts > 0) continue
        await onDisk()
        log.flush()
        log = openLog(path, bounds)
      }
      await onDisk()
      follower.ask(log)
      expect(follower.seen).toEqual(upTo(count))
      log.flush()
      rmSync(folder, { recursive: true, force: true })
    }),
    { numRuns: 40 },
  )
})

test('who was away for longer than files are kept, or whose file was cut off or removed, is told so', async () => {
  const log = openLog(path, { level: 'info', bytesMax: BYTES_MAX, filesMax: 1 })
  await written(log, 0, 8)
  const { cursor } = tailLog(log.written, {})
  await written(log, 8, 60)
  const after = tailLog(log.written, { cursor })
  expect(after).toMatchObject({ file: path, truncated: true })
  expect(numbersOf(after.lines)).toEqual(numbersIn(`${path}.1`).concat(numbersIn(path)))
  truncateSync(path)
  rmSync(`${path}.1`)
  expect(tailLog(log.written, { cursor: after.cursor })).toMatchObject({ cursor: 0, lines: [], reset: true })
  await written(log, 60, 61)
  const anew = tailLog(log.written, { cursor: after.cursor })
  expect([anew.reset, numbersOf(anew.lines)]).toEqual([true, [60]])
  rmSync(path)
  expect(tailLog(log.written, { cursor: anew.cursor })).toMatchObject({ cursor: 0, lines: [], reset: true })
})

test('what is flushed at the end is whole, also while a file waits to be put aside', async () => {
  const log = openLog(path, { level: 'info', bytesMax: BYTES_MAX, filesMax: 3 })
  for (const number of upTo(40)) log.log('info', 'a line', { number })
  log.flush()
  while (!existsSync(path) || numbersIn(path).length < 40) await turnOfTheLoop()
  expect(numbersIn(path)).toEqual(upTo(40))
})

test('fewer files kept: those beyond go at once, and at the next start', async () => {
  const bounds = { level: 'info', bytesMax: BYTES_MAX, filesMax: 5 }
  const log = openLog(path, bounds)
  await written(log, 0, 90)
  expect(names()).toHaveLength(6)
  log.set({ ...bounds, filesMax: 3 })
  expect(names()).toEqual(['gateway.log', 'gateway.log.1', 'gateway.log.2', 'gateway.log.3'])
  openLog(path, { ...bounds, filesMax: 1 })
  expect(names()).toEqual(['gateway.log', 'gateway.log.1'])
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

/** Lines of 80 MB for a disk that is full; says what is kept of them, and ends. */
const ON_A_FULL_DISK = `
import { openLog, WAITING_LENGTH_MAX } from ${JSON.stringify(new URL('../../src/base/node/log.ts', import.meta.url).href)}
const log = openLog('/dev/full', { level: 'info', bytesMax: 1e9, filesMax: 1 })
const used = () => {
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
const before = used()
for (let count = 0; count < 80_000; count += 1) {
  log.log('info', 'x'.repeat(1_000))
  if (count % 100 === 0) await new Promise(resolve => setImmediate(resolve))
}
console.log(used() - before)
log.flush()
process.exit()
`

test('a full disk neither fills the memory with lines nor keeps the gateway from its end', () => {
  const args = ['--expose-gc', '--input-type=module', '-e', ON_A_FULL_DISK]
  const kept = Number(execFileSync(process.execPath, args, { timeout: 30_000, encoding: 'utf8' }))
  expect(kept).toBeLessThan(20 * WAITING_LENGTH_MAX)
})

/** Two lines, and an end that nobody awaited. */
const ENDS_AT_ONCE = `
import { openLog } from ${JSON.stringify(new URL('../../src/base/node/log.ts', import.meta.url).href)}
const log = openLog(process.env.LOG_PATH, { level: 'info', bytesMax: 1e9, filesMax: 1 })
for (const number of [0, 1]) log.log('info', 'a line', { number })
`

test.each(['process.exit()', 'throw new Error()'])('what was logged before %s is in the file, once', end => {
  const args = ['--input-type=module', '-e', `${ENDS_AT_ONCE}${end}`]
  spawnSync(process.execPath, args, { timeout: 30_000, env: { ...process.env, LOG_PATH: path } })
  expect(numbersIn(path)).toEqual([0, 1])
})

test('what a disk refused is written in order once it takes lines again', async () => {
  const log = openLog(path, { level: 'info', bytesMax: 1_000_000, filesMax: 1 })
  log.flush()
  rmSync(join(folder, 'logs'), { recursive: true, force: true })
  for (const number of upTo(10)) {
    log.log('info', 'a line', { number })
    await turnOfTheLoop()
  }
  mkdirSync(join(folder, 'logs'))
  await written(log, 10, 11)
  expect(numbersIn(path)).toEqual(upTo(11))
  log.flush()
})
