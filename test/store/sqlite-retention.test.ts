// How old rows go from the SQLite file: each slice in a commit of its own, after whatever else waits; and the notes of
// when events were made, which are themselves removed.
import { expect, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { begin, effectKey, NOW, newRun, withBench } from './fixtures.ts'

const DAY = 86_400_000

test('W2: a slice waits for whoever else writes, and is a commit of its own', async () => {
  const gate = Promise.withResolvers<void>()
  const order: string[] = []
  const hooks = {
    commit: (commit: () => void) => {
      commit()
      order.push('commit')
    },
  }
  const open = (folder: string) => openSqliteStore({ folder, thread: false, gate: () => gate.promise, hooks })
  await withBench(open, async bench => {
    const store = await bench.open()
    const note = (name: string) => () => void order.push(name)
    const slice = { table: 'keys', afterId: 0, sliceMs: 0, nowMs: NOW } as const
    const writes = [
      store.write.removeOld(slice).then(note('slice')),
      store.write.beginEffect({ key: effectKey('a'), nowMs: NOW }).then(note('a')),
      store.write.removeOld(slice).then(note('slice')),
      store.write.beginEffect({ key: effectKey('b'), nowMs: NOW }).then(note('b')),
    ]
    gate.resolve()
    await Promise.all(writes)
    expect(order).toEqual(['commit', 'a', 'b', 'commit', 'slice', 'commit', 'slice'])
  })
})

test('L5: of what is noted of events only so much is kept as tells what is a week old', async () => {
  let notes: () => unknown = () => undefined
  const hooks = {
    opened: (db: { prepare(sql: string): { pluck(): { all(): unknown } } }) => {
      notes = () => db.prepare("SELECT value FROM meta WHERE name LIKE 'events-at:%' ORDER BY name").pluck().all()
    },
  }
  await withBench(
    folder => openSqliteStore({ folder, thread: false, hooks: hooks as never }),
    async bench => {
      const store = await bench.open()
      for (let day = 0; day < 20; day += 1) {
        await begin(store, newRun(`r${day}`), [{ event: 'agent', payload: {} }])
        await store.write.removeOld({ table: 'events', afterId: 0, sliceMs: 1_000, nowMs: NOW + day * DAY })
      }
      expect(notes()).toEqual([13, 14, 15, 16, 17, 18, 19, 20])
      expect(store.read.oldestSeq()).toBe(14)
    },
  )
})
