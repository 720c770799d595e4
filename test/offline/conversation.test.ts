// Whole conversations through the turn loop: what is shown, what is done to which job, and what is confirmed.
import { beforeEach, describe, expect, it } from 'vitest'
import type { ModelMessage } from '../../src/providers/model.ts'
import { at, Conversation, cron, NOW, request } from './harness.ts'

const TOMORROW = at('2026-11-24T09:00:00+01:00')

let talk: Conversation

beforeEach(() => {
  talk = new Conversation()
})

describe('setting', () => {
  it('confirms what, when, zone and offset', async () => {
    expect(await talk.say('remind me to call Bob at 17:30')).toBe(
      'Done: I will say “call Bob” on Mon 2026-11-23 17:30 Europe/Berlin (+01:00).',
    )
    expect(talk.takeChanges()).toHaveLength(1)
  })

  it('looks past the name of who speaks in a group, and makes nothing anew of a correction', async () => {
    const done = 'Done: I will say “call Bob” on Mon 2026-11-23 17:30 Europe/Berlin (+01:00).'
    expect(await talk.say('[Ada (ops), Jr] remind me to call Bob at 17:30')).toBe(done)
    const later = await talk.say('[Ada, answers you: “at 9, I said”] remind me to call Ann at 17:30')
    expect(later).toContain('I will say “call Ann” on Mon 2026-11-23 17:30')
    expect(talk.takeChanges()).toHaveLength(2)
    const no = [
      'corrects an earlier message',
      'Ada, corrects an earlier message',
      'written 3h ago',
      'hands on a message of Bob',
    ]
    for (const said of [...no, 'Ada, corrects an earlier message, written 3h ago']) {
      expect(await talk.say(`[${said}] remind me to call Bob at 18:30`)).toMatch(/did not understand/)
    }
    expect(talk.takeChanges()).toEqual([])
  })

  it('says that a time has passed today', async () => {
    expect(await talk.say('remind me at 7 to run')).toBe(
      'Done: I will say “run” on Tue 2026-11-24 07:00 Europe/Berlin (+01:00). That time has passed today, so this is tomorrow.',
    )
  })

  it('says a recurrence in words, and both zones where there are two', async () => {
    expect(await talk.say('every weekday at 9 in Berlin say good morning')).toBe(
      'Done: I will say “good morning” every weekday (Monday to Friday) at 09:00 Europe/Berlin. ' +
        'Next: Tue 2026-11-24 09:00 Europe/Berlin (+01:00).',
    )
    expect(await talk.say('every day at 8 Tokyo time say hi')).toBe(
      'Done: I will say “hi” every day at 08:00 Asia/Tokyo. ' +
        'Next: Tue 2026-11-24 08:00 Asia/Tokyo (+09:00), which is Tue 2026-11-24 00:00 Europe/Berlin (+01:00).',
    )
    expect(await talk.say('every 90 minutes remind me to drink')).toBe(
      'Done: I will say “drink” every 90 minutes. Next: Mon 2026-11-23 11:30 Europe/Berlin (+01:00).',
    )
    expect(await talk.say('on the 31st of every month at 9 remind me to pay')).toContain(
      'on the 31st of every month at 09:00 Europe/Berlin. Next: Thu 2026-12-31 09:00 Europe/Berlin (+01:00). Months without a day 31',
    )
    expect(await talk.say('remind me every 29 February at 9 to leap')).toContain('Only leap years have that day.')
  })

  it('says when nothing new was made', async () => {
    talk.answers['cron.add'] = { ...talk.add('stretch', TOMORROW), deduplicated: true }
    expect(await talk.say('remind me tomorrow at 9 to stretch')).toContain(
      'That is set already, so nothing new was made',
    )
  })

  it('tells an error as it is, and does not try again', async () => {
    talk.answers['cron.add'] = { status: 'error', tool: 'cron', error: 'this session may have at most 50 jobs' }
    const text = await talk.say('remind me tomorrow at 9 to stretch')
    expect(text).toContain('The gateway says: this session may have at most 50 jobs')
    expect(talk.takeChanges()).toHaveLength(1)
  })

  it('confirms from the answer even when the clock has moved on', async () => {
    const messages: ModelMessage[] = [{ role: 'user', text: 'remind me today at 10:01 to go' }]
    const first = await request(messages)
    const [call] = first.calls
    if (!call) throw new Error('no call')
    const job = { id: 'j', ...(call.args.job as object), state: { nextRunAtMs: NOW + 60_000 } }
    messages.push({ role: 'assistant', text: '', calls: first.calls })
    messages.push({ role: 'tool', callId: call.id, name: 'cron', text: JSON.stringify(job), isError: false })
    expect((await request(messages, { now: NOW + 90_000 })).text).toContain(
      'Done: I will say “go” on Mon 2026-11-23 10:01',
    )
  })

  it('does not repeat a call whose result is missing', async () => {
    const messages: ModelMessage[] = [{ role: 'user', text: 'remind me tomorrow at 9 to go' }]
    const first = await request(messages)
    messages.push({ role: 'assistant', text: '', calls: first.calls })
    const second = await request(messages)
    expect(second.calls).toEqual([])
    expect(second.text).toContain('I do not know whether that happened')
  })
})

describe('jobs in a list', () => {
  beforeEach(() => {
    talk.add('stretch', at('2026-11-23T12:00:00+01:00'))
    talk.add('call Bob', at('2026-11-23T13:00:00+01:00'))
    talk.add('call Ann', cron('0 14 * * *'))
  })

  const SHOWN = [
    '3 jobs are scheduled:',
    '1. “stretch”: Mon 2026-11-23 12:00 Europe/Berlin (+01:00)',
    '2. “call Bob”: Mon 2026-11-23 13:00 Europe/Berlin (+01:00)',
    '3. “call Ann”: every day at 14:00 Europe/Berlin; next Mon 2026-11-23 14:00 Europe/Berlin (+01:00)',
  ].join('\n')

  it('lists, cancels the first, and confirms', async () => {
    expect(await talk.say('what is scheduled?')).toBe(SHOWN)
    talk.takeChanges()
    expect(await talk.say('cancel the first one')).toBe(
      'Cancelled: “stretch”: Mon 2026-11-23 12:00 Europe/Berlin (+01:00).',
    )
    expect(talk.takeChanges()).toEqual([{ action: 'remove', jobId: 'job-1' }])
  })

  it('counts in the list that was shown, even when the jobs have changed since', async () => {
    await talk.say('what is scheduled?')
    talk.add('earlier', at('2026-11-23T11:00:00+01:00'))
    await talk.say('cancel the second reminder')
    expect(talk.takeChanges()).toEqual([{ action: 'remove', jobId: 'job-2' }])
    expect(await talk.say('cancel the second reminder')).toContain('did not exist any more')
  })

  it('gets the list itself when none was shown', async () => {
    await talk.say('cancel the last one')
    expect(talk.calls.map(call => call.args)).toEqual([
      { action: 'list', includeDisabled: true },
      { action: 'remove', jobId: 'job-3' },
    ])
  })

  it('counts in the candidates that it named last', async () => {
    await talk.say('what is scheduled?')
    const asked = await talk.say('cancel the call')
    expect(asked).toContain('I am not sure which one is meant')
    expect(asked).toContain('1. “call Bob”')
    expect(talk.takeChanges()).toEqual([])
    await talk.say('cancel the first one')
    expect(talk.takeChanges()).toEqual([{ action: 'remove', jobId: 'job-2' }])
  })

  it('does not count in a list of another model that it cannot match', async () => {
    await talk.say('what is scheduled?')
    const shown = talk.messages.at(-1)
    talk.messages[talk.messages.length - 1] = { role: 'assistant', text: 'You have:\n1. dinner\n2. lunch', calls: [] }
    expect(shown?.role).toBe('assistant')
    expect(await talk.say('cancel the first one')).toContain('I cannot tell which list you are counting in')
    expect(talk.takeChanges()).toEqual([])
  })

  it('follows the order in which another model named the same jobs', async () => {
    await talk.say('what is scheduled?')
    const text = 'You have:\n1) call Ann in the afternoon\n2) stretch at noon'
    talk.messages[talk.messages.length - 1] = { role: 'assistant', text, calls: [] }
    await talk.say('cancel the first one')
    expect(talk.takeChanges()).toEqual([{ action: 'remove', jobId: 'job-3' }])
  })

  it.each([
    ['cancel the fourth one', 'I found no job for “the fourth one”'],
    ['cancel the dentist reminder', 'I found no job for “the dentist reminder”'],
    ['cancel the first two', 'I found no job for “the first two”'],
    ['cancel the stretch reminder tomorrow', 'I found no job'],
    ['pause the first one until Monday', 'I found no job'],
    ['cancel the reminder', 'I am not sure which one is meant'],
    ['cancel it', 'I am not sure which one is meant'],
    ['move call to 18:00', 'I am not sure which one is meant'],
    ['run the tests', 'I found no job'],
  ])('%s: named and left alone', async (phrase, part) => {
    const text = await talk.say(phrase)
    expect(text).toContain(part)
    expect(text).toContain('nothing was changed')
    expect(text).toContain('“call Bob”')
    expect(talk.takeChanges()).toEqual([])
  })

  it('cancels all only after a second word, and only what was shown', async () => {
    const asked = await talk.say('cancel all reminders')
    expect(asked).toContain('That would cancel all of these 3 jobs; nothing is cancelled yet. Say `yes, cancel all`')
    talk.add('new', TOMORROW)
    expect(await talk.say('yes')).toContain('Nothing is cancelled.')
    await talk.say('cancel all reminders')
    talk.add('newer', TOMORROW)
    expect(talk.takeChanges()).toEqual([])
    expect(await talk.say('yes, cancel all')).toContain('All 4 are cancelled:')
    expect(talk.takeChanges()).toHaveLength(4)
    expect(talk.jobs.map(job => job.name)).toEqual(['newer'])
  })

  it('does not take a late yes', async () => {
    await talk.say('cancel all reminders')
    await talk.say('what time is it?')
    expect(await talk.say('yes, cancel all')).toContain('I did not ask')
    expect(talk.jobs).toHaveLength(3)
  })

  it('pauses, shows as paused, and resumes', async () => {
    expect(await talk.say('pause the stretch reminder')).toBe('Paused: “stretch”: paused.')
    expect(await talk.say('list jobs')).toContain('3. “stretch”: paused')
    expect(await talk.say('resume the last one')).toBe(
      'On again: “stretch”: Mon 2026-11-23 12:00 Europe/Berlin (+01:00).',
    )
    expect(talk.takeChanges()).toEqual([
      { action: 'update', jobId: 'job-1', patch: { enabled: false } },
      { action: 'update', jobId: 'job-1', patch: { enabled: true } },
    ])
  })

  it('runs one now, and says why not', async () => {
    expect(await talk.say('run the stretch reminder now')).toBe('“stretch” runs now (run run-1).')
    talk.answers['cron.run'] = { ok: true, ran: false, reason: 'already running' }
    expect(await talk.say('run stretch')).toBe('“stretch” was not run: already running.')
  })

  it.each([
    ['move the stretch reminder to 18:00', { schedule: at('2026-11-23T18:00:00+01:00') }],
    ['move the stretch reminder to tomorrow', { schedule: at('2026-11-24T12:00:00+01:00') }],
    ['reschedule stretch for tomorrow at 9', { schedule: TOMORROW }],
    ['postpone the stretch reminder until Friday at noon', { schedule: at('2026-11-27T12:00:00+01:00') }],
    ['change the first one to every day at 10', { schedule: cron('0 10 * * *'), deleteAfterRun: false }],
    ['move the first one to 9pm', { schedule: at('2026-11-23T21:00:00+01:00') }],
    ['move call Ann to 16', { schedule: cron('0 16 * * *') }],
    ['move call Ann to 8:15 Tokyo time', { schedule: cron('15 8 * * *', 'Asia/Tokyo') }],
    ['change call Ann to tomorrow at 9', { schedule: TOMORROW, deleteAfterRun: true }],
  ])('%s', async (phrase, patch) => {
    const text = await talk.say(phrase)
    expect(talk.takeChanges()).toEqual([{ action: 'update', jobId: expect.any(String), patch }])
    expect(text).toContain('Moved: I will say')
    expect(text).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d \S+ \([+-]\d\d:\d\d\)/)
  })

  it.each([
    ['move the stretch reminder to 9', 'in the past'],
    ['move the stretch reminder to yesterday', 'in the past'],
    ['move call Ann to tomorrow', 'does not say at what time'],
    ['change the first one to every day', 'does not say at what time'],
  ])('%s: asked back', async (phrase, part) => {
    expect(await talk.say(phrase)).toContain(part)
    expect(talk.takeChanges()).toEqual([])
  })

  it('shows what ran', async () => {
    talk.answers['cron.runs'] = {
      entries: [
        { ts: Date.parse('2026-11-23T09:30:00+01:00'), jobId: 'job-3', action: 'finished', status: 'ok' },
        { ts: Date.parse('2026-11-22T09:30:00+01:00'), jobId: 'job-3', status: 'error', error: 'no channel' },
      ],
    }
    const today = await talk.say('what ran today?')
    expect(today).toContain('- Mon 2026-11-23 09:30 Europe/Berlin (+01:00): “call Ann” ok')
    expect(today).not.toContain('2026-11-22')
    expect(await talk.say('history of call Ann')).toContain('“call Ann” error, no channel')
  })

  it('says what fails, in every flow', async () => {
    talk.answers['cron.list'] = { status: 'error', tool: 'cron', error: 'the scheduler is off' }
    for (const phrase of ['list jobs', 'cancel the first one', 'cancel all', 'what ran?', 'move stretch to 18:00']) {
      expect(await talk.say(phrase)).toBe('That did not work. The gateway says: the scheduler is off')
    }
    expect(talk.takeChanges()).toEqual([])
  })
})

describe('it', () => {
  it('means the job that was just made', async () => {
    talk.add('other', TOMORROW)
    await talk.say('remind me at 18:00 to eat')
    talk.takeChanges()
    await talk.say('thanks')
    await talk.say('move it to 19:00')
    expect(talk.takeChanges()).toMatchObject([{ jobId: 'job-2', patch: { schedule: at('2026-11-23T19:00:00+01:00') } }])
    await talk.say('cancel it')
    expect(talk.takeChanges()).toEqual([{ action: 'remove', jobId: 'job-2' }])
  })

  it('means nothing where no job was spoken of', async () => {
    talk.add('other', TOMORROW)
    expect(await talk.say('cancel it')).toContain('I am not sure which one is meant')
    talk.answers['cron.add'] = { status: 'error', tool: 'cron', error: 'full' }
    await talk.say('remind me at 18:00 to eat')
    talk.takeChanges()
    await talk.say('cancel it')
    expect(talk.takeChanges()).toEqual([])
  })

  it('is not needed where a name is: the only job there is', async () => {
    talk.add('other', TOMORROW)
    await talk.say('cancel the reminder')
    expect(talk.takeChanges()).toEqual([{ action: 'remove', jobId: 'job-1' }])
    expect(await talk.say('cancel the reminder')).toContain('Nothing is scheduled')
  })
})

describe('sessions and status', () => {
  it('shows what the tools say', async () => {
    talk.answers.sessions_list = { sessions: [{ key: 'agent:main:main', kind: 'main', updatedAt: NOW }], count: 1 }
    talk.answers.sessions_history = {
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'hello' }] },
        { role: 'assistant', content: [{ type: 'text', text: 'Hello!' }] },
        { role: 'tool', content: [{ type: 'text', text: '{}' }] },
      ],
    }
    talk.answers.sessions_send = { status: 'ok', reply: 'got it' }
    talk.answers.session_status = { sessionKey: 'agent:main:main', model: 'sluice/offline', zone: 'Europe/Berlin' }
    talk.answers['cron.status'] = { enabled: true, jobs: 2, nextWakeAtMs: NOW }
    expect(await talk.say('list sessions')).toContain('- agent:main:main; main; last used Mon 2026-11-23 10:00')
    expect(await talk.say('what did we talk about?')).toBe(
      'The latest messages of this session:\n- You: hello\n- I: Hello!',
    )
    expect(await talk.say('tell session main hello')).toBe('Sent to main: “hello”. It answered: got it')
    const status = await talk.say('status')
    expect(status).toContain('model sluice/offline')
    expect(status).toContain('Scheduler: on, 2 jobs, next at Mon 2026-11-23 10:00')
    expect(status).toContain('built-in offline model')
  })
})

describe('messages that no turn answered', () => {
  it('confirms what was made for the one before, and names what was not done', async () => {
    const job = {
      id: 'j',
      name: 'a',
      enabled: true,
      schedule: TOMORROW,
      payload: { kind: 'message', text: 'a' },
      state: {},
    }
    const messages: ModelMessage[] = [
      { role: 'user', text: 'cancel the stretch reminder' },
      { role: 'user', text: 'remind me tomorrow at 9 to a' },
      { role: 'assistant', text: '', calls: [{ id: 'x', name: 'cron', args: { action: 'add' } }] },
      { role: 'tool', callId: 'x', name: 'cron', text: JSON.stringify(job), isError: false },
      { role: 'user', text: 'thanks' },
    ]
    const { calls, text } = await request(messages)
    expect(calls).toEqual([])
    expect(text).toContain('I did not get to “cancel the stretch reminder”')
    expect(text).toContain('Done: I will say “a”')
    expect(text).toContain('You are welcome.')
  })

  it('goes on in the middle of a turn that another model began', async () => {
    const messages: ModelMessage[] = [
      { role: 'user', text: 'whenever you can, sort out my week' },
      { role: 'assistant', text: '', calls: [{ id: 'x', name: 'cron', args: { action: 'remove', jobId: 'j' } }] },
      { role: 'tool', callId: 'x', name: 'cron', text: '{"ok":true,"removed":true}', isError: false },
    ]
    const { calls, text } = await request(messages)
    expect(calls).toEqual([])
    expect(text).toContain('These calls were made before: cron remove (done).')
    expect(text).not.toContain('I have made and changed nothing')
  })
})
