// Definitions of jobs, right and wrong: every refusal names its field and shows what would be taken; of thousands that are
// generated none crashes the gateway, none is half saved, and a refused change changes nothing.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { Job } from '../../src/protocol/job.ts'
import { policyOf } from '../../src/protocol/job-policy.ts'
import { CRON_METHODS } from '../../src/protocol/methods/cron.ts'
import { openHouse, text } from '../fakes/house.ts'

const right = {
  name: 'report',
  schedule: { kind: 'every', everyMs: 3_600_000 },
  payload: { kind: 'agentTurn', message: 'report' },
}

test('every refusal names the field, and what it shows as right is taken', async () => {
  const one = await openHouse(() => text('done'))
  const schedule = (more: unknown) => ({ ...right, schedule: more })
  const payload = (more: object) => ({ ...right, payload: { ...right.payload, ...more } })
  const policy = (more: unknown) => ({ ...right, policy: more })
  const table: [unknown, string][] = [
    [{ ...right, colour: 'red' }, "at root: unexpected property 'colour'"],
    [{ ...right, name: undefined }, 'at /name'],
    [{ ...right, name: ' ' }, 'at /name'],
    [{ ...right, state: {} }, "unexpected property 'state'"],
    [{ ...right, message: 'flat' }, "unexpected property 'message'"],
    [{ ...right, payload: { message: 'x' } }, 'at /payload/kind'],
    [{ ...right, enabled: 'yes' }, 'at /enabled'],
    [{ ...right, wakeMode: 'soon' }, 'at /wakeMode'],
    [{ ...right, sessionTarget: 'elsewhere' }, 'at /sessionTarget'],
    [{ job: { job: right } }, "unexpected property 'job'"],
    [schedule('0 9 * * *'), 'at /schedule'],
    [schedule({ everyMs: '10m' }), 'at /schedule/kind'],
    [schedule({ kind: 'every', everyMs: '10m' }), 'at /schedule/everyMs'],
    [schedule({ kind: 'every', everyMs: 999 }), 'at /schedule/everyMs'],
    [schedule({ at: 5 }), 'at /schedule/kind'],
    [schedule({ at: 'tomorrow' }), 'at /schedule/atMs'],
    [schedule({ kind: 'cron', expression: '0 9 * * *' }), 'at /schedule/expr'],
    [payload({ timeoutSeconds: 0 }), 'at /payload/timeoutSeconds'],
    [payload({ tools: 'cron' }), 'at /payload/tools'],
    [payload({ fallbacks: [1] }), 'at /payload/fallbacks/0'],
    [payload({ time_out: 5 }), "at /payload: unexpected property 'time_out'"],
    [policy({ retry: { max: 11 } }), 'at /policy/retry/max'],
    [policy({ retry: { backoffMs: [] } }), 'at /policy/retry/backoffMs'],
    [policy({ retry: { backoffMs: [10] } }), 'at /policy/retry/backoffMs/0'],
    [policy({ budget: { runTokens: -1 } }), 'at /policy/budget/runTokens'],
    [policy({ budget: { tokens: 5 } }), "at /policy/budget: unexpected property 'tokens'"],
    [policy({ overlap: 'maybe' }), 'at /policy/overlap'],
  ]
  const example = CRON_METHODS['cron.add'].example
  for (const [params, path] of table) {
    const refusal = await one.call('cron.add', params).catch((error: Error) => error)
    expect(refusal).toBeInstanceOf(SluiceError)
    expect((refusal as Error).message).toContain(path)
    expect((refusal as Error).message).toContain(`For example: ${JSON.stringify(example)}`)
  }
  expect((await one.call('cron.list', { includeDisabled: true })).total).toBe(0)
  const made = await one.call('cron.add', example)
  const { patch } = CRON_METHODS['cron.update'].example as { patch: object }
  expect(await one.call('cron.update', { id: made.id, patch })).toMatchObject(patch)
  await expect(one.call('cron.update', { id: made.id, patch: { schedule: 5 } })).rejects.toThrow('at /patch/schedule')
  await one.close()
})

/** With the member at a path, such as `/schedule/expr`, replaced. */
function withMember(fields: object, [first = '', ...rest]: readonly string[], value: unknown): object {
  const inner = (fields as Record<string, object>)[first]
  return { ...fields, [first]: rest.length === 0 ? value : withMember(inner ?? {}, rest, value) }
}

const BETWEEN = { from: '08:00', to: '18:00' }
test.each<[string, object, string]>([
  ['an expression that cannot be read', { schedule: { expr: '0 25 * * *' } }, '/schedule/expr'],
  ['31 February', { schedule: { expr: '0 9 31 2 *' } }, '/schedule/expr'],
  ['a zone that is none', { schedule: { expr: '0 9 * * *', tz: 'Mars/Base' } }, '/schedule/tz'],
  ['a time that is past', { schedule: { kind: 'at', atMs: 1 } }, '/schedule/atMs'],
  ['an interval without end', { schedule: { kind: 'every', everyMs: 9e15 } }, '/schedule/everyMs'],
  ['a zone of an interval', { schedule: { kind: 'every', everyMs: 60_000, tz: 'UTC' } }, '/schedule'],
  ['hours too few', { schedule: { kind: 'every', everyMs: 86_000_000, between: BETWEEN } }, '/schedule'],
  ['an anchor too many', { schedule: { kind: 'every', everyMs: 60_000, between: BETWEEN, anchorMs: 1 } }, '/schedule'],
  ['a pair that does not go together', { sessionTarget: 'main' }, '/sessionTarget'],
  ['an agent that is not there', { agentId: 'nobody' }, '/agentId'],
  ['a policy that leaves no time', { policy: { endAtMs: 1 } }, '/enabled'],
])('what no schema sees has its path too: %s; what is shown there is taken', async (_what, wrong, path) => {
  const one = await openHouse(() => text('done'))
  const refusal = await one.call('cron.add', { ...right, ...wrong }).catch((error: Error) => error)
  const [, at = '', example = ''] = / \(at (\S+); for example (.+)\)$/.exec((refusal as Error).message) ?? []
  expect([refusal, at]).toEqual([expect.objectContaining({ code: 'INVALID_REQUEST' }), path])
  const mended = withMember(wrong, at.slice(1).split('/'), JSON.parse(example))
  const added = await one.call('cron.add', { ...right, ...mended })
  const refused = one.call('cron.update', { id: added.id, patch: { enabled: true, ...wrong } })
  await expect(refused).rejects.toThrow(`(at ${path}; for example ${example})`)
  expect((await one.call('cron.list', { includeDisabled: true })).jobs).toEqual([added])
  expect(await one.call('cron.update', { id: added.id, patch: mended })).toMatchObject({ id: added.id })
  await one.close()
})

const words = fc.constantFrom(
  '',
  ' ',
  'a',
  'report',
  'main',
  'true',
  '10m',
  '0 9 * * *',
  '2026-12-24',
  '2026-02-30',
  '@daily',
)
const odd = fc.oneof(
  words,
  fc.constantFrom(null, undefined, true, false, 0, -1, 1, 999, 1_000, 60_000, 1.5, 8.64e15, 1e300, Number.NaN),
  fc.constantFrom([], {}, [1], { kind: 'at' }, { max: 1 }),
)
const name = fc.constantFrom('tea', ' Report ', 'x')
const expr = fc.constantFrom('0 9 * * 1-5', '*/5 * * * *', '0 0 29 2 *', '@hourly')
const schedules = fc.oneof(
  fc.record({ kind: fc.constant('every'), everyMs: fc.integer({ min: 1_000, max: 1e9 }) }),
  fc.record({ expr, tz: fc.constantFrom('Europe/Berlin', 'UTC') }, { requiredKeys: ['expr'] }),
  fc.record({ at: fc.constantFrom('2027-01-01', '1999-01-01', '1735689600000', '2027-03-28T02:30+01:00') }),
)
const payloads = fc.oneof(
  fc.record({ kind: fc.constantFrom('systemEvent', 'message'), text: name }),
  fc.record(
    {
      kind: fc.constant('agentTurn'),
      message: name,
      model: name,
      tools: fc.array(name),
      deliver: fc.boolean(),
      to: name,
    },
    { requiredKeys: ['kind', 'message'] },
  ),
)
const policies = fc.record(
  {
    catchUp: fc.constantFrom('skip', 'latest', 'all'),
    overlap: fc.constantFrom('skip', 'allow', 'queue-all'),
    maxRuns: fc.integer({ min: 1, max: 3 }),
    endAtMs: fc.constantFrom(0, 1e12, 4e12),
    retry: fc.record({ max: fc.integer({ min: 0, max: 10 }) }),
    budget: fc.dictionary(fc.constantFrom('runTokens', 'dayUsd'), fc.integer({ min: 0, max: 10 })),
    jitterMs: fc.integer({ min: 0, max: 1e7 }),
    staggerMs: fc.integer({ min: -1, max: 70_000 }),
  },
  { requiredKeys: [] },
)
const rightOnes = fc.record(
  {
    name,
    schedule: schedules,
    payload: payloads,
    policy: policies,
    agentId: fc.constant('main'),
    enabled: fc.constantFrom(true, 'FALSE'),
  },
  { requiredKeys: ['name', 'schedule', 'payload'] },
)
const FIELDS = [
  'name',
  'agentId',
  'enabled',
  'schedule',
  'payload',
  'policy',
  'sessionTarget',
  'sessionKey',
  'wakeMode',
  'colour',
]
const INNER = [
  'kind',
  'everyMs',
  'expr',
  'tz',
  'text',
  'message',
  'model',
  'tools',
  'retry',
  'overlap',
  'maxRuns',
  'time_out',
]
const changes = fc.array(fc.tuple(fc.constantFrom(...FIELDS), fc.option(fc.constantFrom(...INNER)), odd), {
  maxLength: 2,
})
/** Right ones, some of which had a member or two of theirs changed. */
const definitions = fc.tuple(rightOnes, changes).map(([whole, changed]) => {
  const made: Record<string, unknown> = { ...whole }
  for (const [field, inner, value] of changed) {
    const before = made[field]
    made[field] = inner !== null && typeof before === 'object' ? { ...before, [inner]: value } : value
  }
  return made
})

// bound: about 10 s on an idle core.
test('of 10,000 definitions each is taken whole or refused whole', { timeout: 180_000 }, async () => {
  const one = await openHouse(() => text('done'), { config: { cron: { enabled: false } } })
  const { read } = one.store
  const seed = await one.call('cron.add', right)
  const state = () => ({ total: read.jobCount({ includeDisabled: true }), seed: read.job(seed.id) })
  let taken = 0
  await fc.assert(
    fc.asyncProperty(definitions, fc.boolean(), async (definition, isPatch) => {
      const before = state()
      const asked = isPatch
        ? one.call('cron.update', { id: seed.id, patch: definition })
        : one.call('cron.add', { job: definition })
      const answer = await asked.catch((error: unknown) => error)
      if (answer instanceof Error) {
        // What it is refused for is its own fault, said in words.
        expect(answer).toMatchObject({ code: 'INVALID_REQUEST' })
        expect(state()).toEqual(before)
        return
      }
      taken += 1
      const { warnings: _, ...kept } = answer as Job & { warnings?: string[] }
      const row = read.job(kept.id)?.job as Job
      const held = row.payload.kind === 'agentTurn' && { staggerMs: row.policy?.staggerMs ?? 1_000 }
      expect({ ...row, policy: { ...policyOf(row), ...held } }).toEqual(kept)
      expect(state().total).toBe(before.total + (isPatch ? 0 : 1))
    }),
    { numRuns: 10_000 },
  )
  // Neither all right nor all wrong.
  expect(taken).toBeGreaterThan(500)
  expect(taken).toBeLessThan(9_500)
  await one.close()
})
