// Every row of the protocol's leniency table against the closed schema, everything it does not tolerate, and the rules
// of a patch.
import { describe, expect, it } from 'vitest'
import { type Job, jobInputSchema, jobPatchSchema } from '../../src/protocol/job.ts'
import {
  applyJobPatch,
  checkPairing,
  lenientJobInput,
  lenientJobPatch,
  parseInstant,
} from '../../src/protocol/job-leniency.ts'

const NOON_MS = Date.parse('2026-07-01T12:00:00Z')

const strict = {
  name: 'report',
  enabled: true,
  schedule: { kind: 'at', atMs: NOON_MS },
  sessionTarget: 'isolated',
  wakeMode: 'next-heartbeat',
  payload: { kind: 'agentTurn', message: 'write it' },
} as const

const accepted = (params: unknown, zone?: string) =>
  jobInputSchema.safeParse(lenientJobInput(params, zone === undefined ? {} : { zone }))

const acceptedPatch = (patch: unknown): unknown => {
  const params = lenientJobPatch({ id: 'j', patch }, {}) as { id: string; patch: unknown }
  expect(params.id).toBe('j')
  return jobPatchSchema.safeParse(params.patch).data
}

describe('a strict job', () => {
  it('is left as it is', () => {
    expect(lenientJobInput(strict, {})).toEqual(strict)
    expect(lenientJobInput(strict, { zone: 'Asia/Tokyo' })).toEqual(strict)
    expect(accepted(strict).data).toEqual(strict)
  })

  it('of another kind than at keeps what looks like a time', () => {
    const params = { ...strict, schedule: { kind: 'every', everyMs: 1000, at: '2026-07-01', atMs: '5' } }
    expect(lenientJobInput(params, {})).toEqual(params)
  })

  it('is not changed in place', () => {
    const params = { job: { ...strict, enabled: 'false', schedule: { at: '2026-07-01T12:00' } } }
    const before = structuredClone(params)
    lenientJobInput(params, {})
    lenientJobPatch({ id: 'j', patch: params }, {})
    expect(params).toEqual(before)
  })
})

describe('tolerated when a job is added', () => {
  const { enabled: _enabled, sessionTarget: _target, wakeMode: _mode, ...bare } = strict
  const turn = { kind: 'agentTurn', message: 'write it' }

  it.each<[string, unknown, object]>([
    ['job', { job: strict, ignored: 1 }, {}],
    ['data', { data: strict, job: { name: 'not this' } }, {}],
    ['agentId in capitals', { ...strict, agentId: ' Ops ' }, { agentId: 'ops' }],
    ['agentId with odd characters', { ...strict, agentId: '.My Agent!' }, { agentId: 'my-agent' }],
    ['agentId of nothing but odd characters', { ...strict, agentId: '!?' }, { agentId: '!?' }],
    ['blank agentId', { ...strict, agentId: '  ' }, {}],
    ['null agentId', { ...strict, agentId: null }, { agentId: null }],
    ['enabled "FALSE"', { ...strict, enabled: ' FALSE ' }, { enabled: false }],
    ['enabled "true"', { ...strict, enabled: 'true' }, { enabled: true }],
    ['schedule of atMs', { ...strict, schedule: { atMs: 5 } }, { schedule: { kind: 'at', atMs: 5 } }],
    ['atMs as digits', { ...strict, schedule: { atMs: '1782907200000' } }, {}],
    ['atMs as text, with kind', { ...strict, schedule: { kind: 'at', atMs: '2026-07-01T12:00:00Z' } }, {}],
    ['at', { ...strict, schedule: { at: '2026-07-01T12:00' } }, {}],
    ['at, with kind', { ...strict, schedule: { kind: 'at', at: '2026-07-01 14:00+02:00' } }, {}],
    ['at beside an equal atMs', { ...strict, schedule: { at: '2026-07-01T12:00', atMs: NOON_MS } }, {}],
    ['everyMs', { ...strict, schedule: { everyMs: 1000 } }, { schedule: { kind: 'every', everyMs: 1000 } }],
    ['expr', { ...strict, schedule: { expr: '@daily' } }, { schedule: { kind: 'cron', expr: '@daily' } }],
    ['provider', { ...strict, payload: { ...turn, provider: ' Slack ' } }, { payload: { ...turn, channel: 'slack' } }],
    [
      'provider beside channel',
      { ...strict, payload: { ...turn, provider: 'slack', channel: ' Telegram ' } },
      { payload: { ...turn, channel: 'telegram' } },
    ],
    [
      'provider beside blank channel',
      { ...strict, payload: { ...turn, provider: 'slack', channel: ' ' } },
      {
        payload: { ...turn, channel: 'slack' },
      },
    ],
    ['blank provider', { ...strict, payload: { ...turn, provider: ' ' } }, {}],
    ['no wake mode, target or enabled', bare, {}],
    [
      'no target for a system event',
      { ...bare, payload: { kind: 'systemEvent', text: 'x' } },
      {
        sessionTarget: 'main',
        payload: { kind: 'systemEvent', text: 'x' },
      },
    ],
    [
      'no target for a message',
      { ...bare, payload: { kind: 'message', text: 'x' } },
      {
        sessionTarget: 'main',
        payload: { kind: 'message', text: 'x' },
      },
    ],
    ['members left undefined', { ...bare, enabled: undefined, wakeMode: undefined, sessionTarget: undefined }, {}],
    ['blank description', { ...strict, description: ' ' }, {}],
  ])('%s', (_name, params, changes) => {
    expect(accepted(params).data).toEqual({ ...strict, ...changes })
  })

  it('keeps the members of the call when the job is wrapped', () => {
    const call = { dedupe: true, allowDuplicate: false, idempotencyKey: 'k' }
    expect(lenientJobInput({ job: strict, ...call }, {})).toEqual({ ...strict, ...call })
  })

  it('does not override what was given', () => {
    const given = { ...strict, enabled: false, wakeMode: 'now', sessionTarget: 'main' }
    expect(accepted(given).data).toEqual(given)
  })
})

describe('not tolerated when a job is added', () => {
  const { name: _name, ...nameless } = strict
  const schedule = (schedule: unknown) => ({ ...strict, schedule })
  const payload = (payload: unknown) => ({ ...strict, payload })

  it.each<[string, unknown]>([
    ['unknown member', { ...strict, colour: 'red' }],
    ['unknown member of the wrapped job', { job: { ...strict, colour: 'red' } }],
    ['unknown member of the schedule', schedule({ ...strict.schedule, colour: 'red' })],
    ['unknown member of the payload', payload({ ...strict.payload, colour: 'red' })],
    ['state', { ...strict, state: {} }],
    ['everyMs as a string', schedule({ everyMs: '1000' })],
    ['everyMs as a string, with kind', schedule({ kind: 'every', everyMs: '1000' })],
    ['everyMs as a duration', schedule({ everyMs: '10m' })],
    ['every', schedule({ every: '10m' })],
    ['missing name', nameless],
    ['missing kind of payload', payload({ message: 'write it' })],
    ['snake case', schedule({ at_ms: 5 })],
    ['schedule as a string', schedule('0 9 * * *')],
    ['schedule as a list', schedule([5])],
    ['at as a number', schedule({ at: 5 })],
    ['at as a number, with kind', schedule({ kind: 'at', at: 5 })],
    ['at beside another atMs', schedule({ at: '2026-07-01T12:00', atMs: NOON_MS + 1 })],
    ['at in an interval', schedule({ kind: 'every', everyMs: 1000, at: '2026-07-01T12:00' })],
    ['at in words', schedule({ at: 'tomorrow at nine' })],
    ['at on a day that is not', schedule({ at: '2026-02-30' })],
    ['atMs on a day that is not', schedule({ atMs: '2026-02-30' })],
    ['atMs past the end of time', schedule({ atMs: '9999999999999999' })],
    ['atMs before 1970', schedule({ atMs: '1969-12-31' })],
    ['flattened payload', { ...strict, payload: undefined, message: 'write it' }],
    ['wrapper in a wrapper', { job: { job: strict } }],
    ['wrapper in a list', { job: [strict] }],
    ['enabled as a word', { ...strict, enabled: 'yes' }],
    ['enabled as a number', { ...strict, enabled: 1 }],
    ['agentId as a number', { ...strict, agentId: 5 }],
    ['provider as a number', payload({ ...strict.payload, provider: 5 })],
    ['channel as a number', payload({ ...strict.payload, channel: 5, provider: 'slack' })],
    ['provider of a system event', payload({ kind: 'systemEvent', text: 'x', provider: 'slack' })],
    ['no job', undefined],
    ['a string', 'job'],
    ['a list', [strict]],
  ])('%s', (_name, params) => {
    expect(accepted(params).success).toBe(false)
  })
})

describe('a patch', () => {
  it('takes the same spellings and no defaults', () => {
    expect(acceptedPatch({ enabled: 'False' })).toEqual({ enabled: false })
    expect(acceptedPatch({ data: { agentId: ' Ops ' } })).toEqual({ agentId: 'ops' })
    expect(acceptedPatch({ agentId: ' ' })).toEqual({})
    expect(acceptedPatch({ agentId: null })).toEqual({ agentId: null })
    expect(acceptedPatch({ description: '' })).toEqual({ description: '' })
    expect(acceptedPatch({ schedule: { at: '2026-07-01T12:00' } })).toEqual({ schedule: strict.schedule })
    const payload = { kind: 'agentTurn', provider: 'Slack' }
    expect(acceptedPatch({ payload })).toEqual({ payload: { kind: 'agentTurn', channel: 'slack' } })
  })

  it('takes the zone of a person', () => {
    const params = { id: 'j', patch: { schedule: { at: '2026-07-01 14:00' } } }
    expect(lenientJobPatch(params, { zone: 'Europe/Berlin' })).toEqual({
      id: 'j',
      patch: { schedule: strict.schedule },
    })
  })

  it.each([{ colour: 'red' }, { schedule: { everyMs: '1000' } }, { payload: { text: 'x' } }, { job: { job: {} } }])(
    'refuses %j',
    patch => {
      expect(acceptedPatch(patch)).toBeUndefined()
    },
  )

  it.each([undefined, null, 'x', [], { id: 'j' }, { id: 'j', patch: 'x' }])('leaves %j to the schema', params => {
    expect(lenientJobPatch(params, {})).toBe(params)
  })
})

describe('parseInstant', () => {
  it.each([
    ['0', '1970-01-01T00:00Z'],
    ['1782907200000', '2026-07-01T12:00Z'],
    ['2026-07-01', '2026-07-01T00:00Z'],
    ['2026-07-01T12:00', '2026-07-01T12:00Z'],
    [' 2026-07-01 12:00:30 ', '2026-07-01T12:00:30Z'],
    ['2026-07-01T12:00:30.5', '2026-07-01T12:00:30.500Z'],
    ['2026-07-01T12:00:30.123456', '2026-07-01T12:00:30.123Z'],
    ['2026-07-01T12:00Z', '2026-07-01T12:00Z'],
    ['2026-07-01T12:00+05:45', '2026-07-01T06:15Z'],
    ['2026-07-01T12:00:00-09:30', '2026-07-01T21:30Z'],
    ['2028-02-29', '2028-02-29T00:00Z'],
    ['2026-12-31T23:59:59', '2026-12-31T23:59:59Z'],
  ])('%s', (text, expected) => {
    expect(parseInstant(text)).toBe(Date.parse(expected))
  })

  it.each([
    '',
    'now',
    '-5',
    '5.5',
    '12345678901234567',
    '2026-7-1',
    '2026-00-10',
    '2026-13-01',
    '2026-02-30',
    '2026-04-31',
    '2027-02-29',
    '2100-02-29',
    '2026-07-00',
    '2026-07-01T24:00',
    '2026-07-01T12:60',
    '2026-07-01T12:00:60',
    '2026-07-01T12',
    '2026-07-01Tnoon',
    '2026-07-01T12:00+24:00',
    '2026-07-01T12:00+02:60',
    '2026-07-01T12:00+0200',
    '2026-07-01T12:00 Europe/Berlin',
    '2026-07-01T12:00:00.',
    'Wed, 01 Jul 2026 12:00:00 GMT',
  ])('refuses "%s"', text => {
    expect(parseInstant(text)).toBeUndefined()
    expect(parseInstant(text, 'Europe/Berlin')).toBeUndefined()
  })

  it.each([
    ['2026-07-01 14:00', '2026-07-01T12:00Z'],
    ['2026-01-01', '2025-12-31T23:00Z'],
    ['2026-07-01T14:00:30.250', '2026-07-01T12:00:30.250Z'],
    // An offset and digits say it all; the zone has no part in them.
    ['2026-07-01T12:00Z', '2026-07-01T12:00Z'],
    ['2026-07-01T12:00-01:00', '2026-07-01T13:00Z'],
    ['1782907200000', '2026-07-01T12:00Z'],
    // A time that does not exist is the end of the gap; of two, the first.
    ['2026-03-29T02:30:00.250', '2026-03-29T01:00Z'],
    ['2026-10-25T02:30', '2026-10-25T00:30Z'],
  ])('%s in Berlin', (text, expected) => {
    expect(parseInstant(text, 'Europe/Berlin')).toBe(Date.parse(expected))
  })

  it('passes the zone of the caller on, and refuses one that is unknown', () => {
    const params = { ...strict, schedule: { at: '2026-07-01 14:00' } }
    expect(accepted(params, 'Europe/Berlin').data).toEqual(strict)
    expect(() => accepted(params, 'Mars/Phobos')).toThrow('RangeError: Invalid time zone specified: Mars/Phobos')
  })
})

describe('applyJobPatch', () => {
  const job: Job = {
    ...strict,
    id: 'j',
    agentId: 'ops',
    description: 'of the day',
    payload: { kind: 'agentTurn', message: 'write it', model: 'fast', deliver: true },
    isolation: { postToMainPrefix: 'Cron', postToMainMode: 'full' },
    createdAtMs: 1,
    updatedAtMs: 2,
    state: { nextRunAtMs: 3 },
  }

  it('changes what is named and nothing else, in a copy', () => {
    const before = structuredClone(job)
    expect(applyJobPatch(job, {})).toEqual(job)
    expect(applyJobPatch(job, { name: 'other', enabled: false })).toEqual({ ...job, name: 'other', enabled: false })
    expect(applyJobPatch(job, { name: undefined, payload: undefined })).toEqual(job)
    applyJobPatch(job, { agentId: null, description: '', payload: { kind: 'agentTurn', message: 'new' } })
    expect(job).toEqual(before)
  })

  it('replaces schedule and isolation whole', () => {
    const schedule = { kind: 'every', everyMs: 1000 } as const
    const patched = applyJobPatch(job, { schedule, isolation: { postToMainMaxChars: 5 } })
    expect(patched).toEqual({ ...job, schedule, isolation: { postToMainMaxChars: 5 } })
  })

  it('merges a payload of the same kind', () => {
    const patched = applyJobPatch(job, { payload: { kind: 'agentTurn', model: 'slow', message: undefined } })
    expect(patched.payload).toEqual({ kind: 'agentTurn', message: 'write it', model: 'slow', deliver: true })
  })

  it('takes a payload of another kind only with its text', () => {
    const patched = applyJobPatch(job, { payload: { kind: 'systemEvent', text: 'x' } })
    expect(patched.payload).toEqual({ kind: 'systemEvent', text: 'x' })
    const event: Job = { ...job, payload: { kind: 'systemEvent', text: 'x' } }
    expect(applyJobPatch(event, { payload: { kind: 'agentTurn', message: 'm', to: 't' } }).payload).toEqual({
      kind: 'agentTurn',
      message: 'm',
      to: 't',
    })
    const message = (kind: string, text: string) => `cron.update payload.kind="${kind}" requires ${text}`
    expect(() => applyJobPatch(job, { payload: { kind: 'systemEvent' } })).toThrow(message('systemEvent', 'text'))
    expect(() => applyJobPatch(job, { payload: { kind: 'message' } })).toThrow(message('message', 'text'))
    expect(() => applyJobPatch(event, { payload: { kind: 'agentTurn', to: 't' } })).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        message: `${message('agentTurn', 'message')} (at /payload; for example {"kind":"agentTurn","message":"Look at the post"})`,
      }),
    )
  })

  it('clears agent and description', () => {
    const { agentId: _agent, ...noAgent } = job
    expect(applyJobPatch(job, { agentId: null })).toStrictEqual(noAgent)
    expect(applyJobPatch(job, { agentId: ' ' })).toStrictEqual(noAgent)
    expect(applyJobPatch(job, { agentId: 'dev' }).agentId).toBe('dev')
    const { description: _description, ...noDescription } = job
    expect(applyJobPatch(job, { description: ' ' })).toStrictEqual(noDescription)
    expect(applyJobPatch(job, { description: 'new' }).description).toBe('new')
  })
})

describe('checkPairing', () => {
  const event = { kind: 'systemEvent', text: 'x' } as const
  const turn = { kind: 'agentTurn', message: 'x' } as const
  const message = { kind: 'message', text: 'x' } as const

  it('lets pairs pass, and plain text with either', () => {
    checkPairing('main', event)
    checkPairing('isolated', turn)
    checkPairing('main', message)
    checkPairing('isolated', message)
  })

  it('refuses the others in the words of the wire', () => {
    expect(() => checkPairing('main', turn)).toThrow(
      /^main cron jobs require payload\.kind="systemEvent" \(at \/sessionTarget; for example "isolated"\)$/,
    )
    expect(() => checkPairing('isolated', event)).toThrow(
      /^isolated cron jobs require payload\.kind="agentTurn" \(at \/sessionTarget; for example "main"\)$/,
    )
  })
})
