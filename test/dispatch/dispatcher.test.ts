// The one door: admission, validation, keys and bounds, with handlers that only look.
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { type Caller, mayCall } from '../../src/dispatch/caller.ts'
import { type Call, Dispatcher, type Handlers } from '../../src/dispatch/dispatcher.ts'
import { CATALOGUE, type MethodName } from '../../src/protocol/catalogue.ts'
import type { MethodDeclaration, Scope } from '../../src/protocol/method.ts'
import { FakeClock } from '../fakes/clock.ts'

const operator = (...scopes: Scope[]): Caller => ({ principal: 'operator', label: 'test', scopes: new Set(scopes) })
const admin = operator('operator.admin')

function dispatcherWith(handle: (call: Call<MethodName>) => unknown, clock = new FakeClock()) {
  const handlers = Object.fromEntries(Object.keys(CATALOGUE).map(name => [name, handle])) as unknown as Handlers
  return { dispatcher: new Dispatcher(handlers, clock, new Map([['cron.remove', 50]])), clock }
}

const jobInput = {
  name: 'n',
  schedule: { kind: 'every', everyMs: 60_000 },
  payload: { kind: 'agentTurn', message: 'hi' },
}

describe('admission', () => {
  test('each method needs its scope; admin suffices, write includes read, nothing includes nothing', () => {
    for (const declaration of Object.values(CATALOGUE)) {
      expect(mayCall(operator(), declaration)).toBe(false)
      expect(mayCall(admin, declaration)).toBe(true)
    }
    expect(mayCall(operator('operator.write'), { scope: 'operator.read' })).toBe(true)
    expect(mayCall(operator('operator.read'), { scope: 'operator.write' })).toBe(false)
  })

  test('W1: a turn has its tools instead of scopes; what is narrowed to some methods has those, and none approves', () => {
    const turnWith = (more: object): Caller => ({ ...operator(), turn: { ...more } as NonNullable<Caller['turn']> })
    for (const declaration of Object.values<MethodDeclaration>(CATALOGUE)) {
      const isPersons = declaration.scope === 'operator.approvals' || declaration.scope === 'operator.pairing'
      expect(mayCall(turnWith({}), declaration)).toBe(!isPersons)
      expect(mayCall(turnWith({ allows: () => false }), declaration)).toBe(false)
      const allows = (asked: object) => asked === declaration
      expect(mayCall(turnWith({ allows }), declaration)).toBe(!isPersons)
    }
  })

  test('no method is run for a caller without its scope, whatever its params', async () => {
    let ran = 0
    const { dispatcher } = dispatcherWith(() => (ran += 1))
    const nobody = { ...operator(), scopes: new Set<never>() }
    for (const [name, { scope }] of Object.entries<MethodDeclaration>(CATALOGUE)) {
      const refused = dispatcher.call(name, {}, { caller: nobody })
      await expect(refused).rejects.toMatchObject({ code: 'FORBIDDEN', message: `missing scope: ${scope}` })
    }
    expect(ran).toBe(0)
  })

  test('the scope error comes before `unknown method`', async () => {
    const { dispatcher } = dispatcherWith(() => 'ran')
    await expect(dispatcher.call('nope', {}, { caller: operator('operator.read') })).rejects.toThrow(
      'missing scope: operator.admin',
    )
    await expect(dispatcher.call('nope', {}, { caller: admin })).rejects.toThrow('unknown method: nope')
    await expect(dispatcher.call('toString', {}, { caller: admin })).rejects.toThrow('unknown method: toString')
  })

  test('params that fail are named in the form that clients know, and no handler runs', async () => {
    let ran = 0
    const { dispatcher } = dispatcherWith(() => (ran += 1))
    const bad = dispatcher.call('cron.add', { ...jobInput, state: {} }, { caller: admin })
    await expect(bad).rejects.toThrow(/^invalid cron\.add params: .*at root: unexpected property 'state'/)
    expect(ran).toBe(0)
  })
})

describe('T1: keys', () => {
  test('T1: equal params have equal hashes whatever the key, other params another; reads have none', async () => {
    const seen: Call<MethodName>[] = []
    const { dispatcher } = dispatcherWith(call => seen.push(call))
    await dispatcher.call('cron.add', { ...jobInput, idempotencyKey: 'k1' }, { caller: admin })
    await dispatcher.call('cron.add', jobInput, { caller: admin, key: 'k2' })
    await dispatcher.call('cron.add', { ...jobInput, name: 'm' }, { caller: admin, key: 'k2' })
    await dispatcher.call('cron.list', {}, { caller: admin, key: 'k2' })
    await dispatcher.call('cron.add', jobInput, { caller: admin })
    const keys = seen.map(call => call.key)
    expect(keys[0]).toMatchObject({ principal: 'operator', method: 'cron.add', key: 'k1' })
    expect(keys[1]?.paramsHash).toBe(keys[0]?.paramsHash)
    expect(keys[2]?.paramsHash).not.toBe(keys[0]?.paramsHash)
    expect([keys[3], keys[4]]).toEqual([undefined, undefined])
  })
})

describe('W6: bounds on work', () => {
  test('W6: work dropped before it began is reported as not started', async () => {
    const { dispatcher, clock } = dispatcherWith(call => {
      const { promise, reject } = Promise.withResolvers()
      const dropped = new SluiceError('CANCELLED', 'dropped', { outcome: 'not-started' })
      call.signal.addEventListener('abort', () => reject(dropped))
      return promise
    })
    const answer = dispatcher.call('cron.remove', { id: 'x' }, { caller: admin }).catch(error => error)
    await clock.advance(60)
    expect(await answer).toMatchObject({
      code: 'TIMEOUT',
      outcome: 'not-started',
      message: expect.stringContaining('50 ms'),
    })
  })

  test('W6: work that commits after the deadline says so and hands over what it made; a read just answers', async () => {
    const { dispatcher, clock } = dispatcherWith(call => {
      const { promise, resolve } = Promise.withResolvers()
      call.signal.addEventListener('abort', () => resolve({ ok: true, removed: true }))
      return promise
    })
    const answer = dispatcher.call('cron.remove', { id: 'x' }, { caller: admin }).catch(error => error)
    const read = dispatcher.call('cron.list', {}, { caller: admin, deadlineMs: 50 })
    await clock.advance(60)
    expect(await answer).toMatchObject({
      code: 'TIMEOUT',
      outcome: 'committed',
      details: { result: { ok: true, removed: true } },
    })
    await expect(read).resolves.toEqual({ ok: true, removed: true })
    expect(clock.timers).toBe(0)
  })

  test('W6: a caller that goes away aborts the signal of its waits', async () => {
    const gone = new AbortController()
    const { dispatcher } = dispatcherWith(async call => {
      gone.abort(new Error('gone'))
      call.callerSignal.throwIfAborted()
    })
    await expect(dispatcher.call('health', {}, { caller: admin, signal: gone.signal })).rejects.toThrow('gone')
  })
})
