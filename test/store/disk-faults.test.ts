// A disk that refuses, seen from a furnished gateway: whatever the reason, control answers, health names the reason and
// what to do, what was accepted is kept, what was refused is not there, and with the disk back everything goes on.

import type { Database } from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../fakes/clock.ts'
import { openHouse, text } from '../fakes/house.ts'

interface Fault {
  readonly begin: (db: Database) => void
  readonly end: (db: Database) => void
  /** What a person is told. */
  readonly advice: RegExp
}

/** Statements that change something fail with this code; undefined: none do. */
let failsWith: string | undefined

const FAULTS: Readonly<Record<string, Fault>> = {
  'a full disk': {
    begin: db => db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true }))}`),
    end: db => db.pragma('max_page_count = 1073741823'),
    advice: /The disk is full: free some space/,
  },
  'a disk that became read-only': {
    begin: db => db.pragma('query_only = ON'),
    end: db => db.pragma('query_only = OFF'),
    advice: /check owner, mode and whether the disk is read-only/,
  },
  'an I/O error': {
    begin: () => {
      failsWith = 'SQLITE_IOERR_WRITE'
    },
    end: () => {
      failsWith = undefined
    },
    advice: /Check the disk and the system log/,
  },
}

function failing(db: Database): void {
  const prepare = db.prepare.bind(db)
  db.prepare = ((sql: string) => {
    const statement = prepare(sql)
    const run = statement.run.bind(statement)
    statement.run = ((...args: unknown[]) => {
      if (failsWith && /^\s*(INSERT|UPDATE|DELETE)/i.test(sql)) {
        throw Object.assign(new Error('disk I/O error'), { code: failsWith })
      }
      return run(...args)
    }) as never
    return statement
  }) as typeof db.prepare
}

describe.each(Object.entries(FAULTS))('%s', (_, { begin, end, advice }) => {
  test('L1, W7: it is said with what to do, control answers, and nothing acknowledged is lost', async () => {
    let db: Database | undefined
    const opened = (connection: Database) => {
      failing(connection)
      db = connection
    }
    const clock = new FakeClock()
    const house = await openHouse(() => text('answered'), { clock, store: { hooks: { opened } } })
    const writer = db as unknown as Database
    const add = async (name: string) => {
      const job = {
        schedule: { kind: 'every', everyMs: 3_600_000 },
        payload: { kind: 'message', text: 'x'.repeat(50_000) },
      }
      return (await house.call('cron.add', { ...job, name, idempotencyKey: name })).name
    }
    const kept = [await add('before')]
    begin(writer)
    for (const name of ['one', 'two']) {
      await add(name).then(
        () => kept.push(name),
        error =>
          expect(error).toMatchObject({
            code: 'STORE_FAILED',
            outcome: 'not-started',
            message: expect.stringMatching(advice),
          }),
      )
    }
    expect(kept).toEqual(['before'])
    expect(await house.call('health')).toMatchObject({ ok: true, store: { failing: expect.stringMatching(advice) } })
    expect((await house.call('status')).store.failing).toMatch(advice)
    expect((await house.call('cron.list')).jobs.map(({ name }) => name)).toEqual(kept)
    expect(await house.call('chat.history', { sessionKey: 'main' })).toMatchObject({ messages: [] })
    end(writer)
    // Under the key of the refused call: it did not happen, so it happens now.
    for (let n = 0; n < 20; n += 1) kept.push(await add(n === 0 ? 'one' : `later ${n}`))
    expect((await house.call('health')).store.failing).toBeUndefined()
    expect((await house.call('cron.list')).jobs.map(({ name }) => name).toSorted()).toEqual(kept.toSorted())
    await house.call('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'turn' })
    expect(await house.call('agent.wait', { runId: 'turn' })).toMatchObject({ status: 'ok' })
    await house.close()
  })
})
