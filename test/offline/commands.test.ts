// Questions and commands, each with its first call or its answer, hand-written; and small talk, which calls nothing.
import { describe, expect, it } from 'vitest'
import { ask } from './harness.ts'

const LIST = { action: 'list', includeDisabled: true }

const FIRST_CALLS: readonly (readonly [phrase: string, name: string, args: Record<string, unknown>])[] = [
  ['what is scheduled?', 'cron', LIST],
  ['list my reminders', 'cron', LIST],
  ['show jobs', 'cron', LIST],
  ["what's coming up?", 'cron', LIST],
  ['What’s coming up?', 'cron', LIST],
  ['any reminders?', 'cron', LIST],
  ['do I have any reminders?', 'cron', LIST],
  ['show me my schedule please', 'cron', LIST],
  ['how many reminders do I have?', 'cron', LIST],
  ['can you show me what is scheduled?', 'cron', LIST],
  ['when is my next reminder?', 'cron', LIST],
  // Commands about a job that was not shown look at the list first.
  ['cancel the first one', 'cron', LIST],
  ['cancel the last one', 'cron', LIST],
  ['delete the stretch reminder', 'cron', LIST],
  ['cancel good morning', 'cron', LIST],
  ['cancel all reminders', 'cron', LIST],
  ['stop reminding me to stretch', 'cron', LIST],
  ['get rid of the "call Bob" reminder', 'cron', LIST],
  ['move the stretch reminder to 18:00', 'cron', LIST],
  ['change the first one to every day at 10', 'cron', LIST],
  ['pause the first one', 'cron', LIST],
  ['resume the first one', 'cron', LIST],
  ['run the first one now', 'cron', LIST],
  ['what ran today?', 'cron', LIST],
  ['did anything run yesterday?', 'cron', LIST],
  ['history of the first one', 'cron', LIST],
  ['when did the stretch reminder last run?', 'cron', LIST],
  ['what did we talk about?', 'sessions_history', { limit: 20 }],
  ['show history', 'sessions_history', { limit: 20 }],
  ['show our conversation', 'sessions_history', { limit: 20 }],
  ['list sessions', 'sessions_list', { limit: 50 }],
  ['which sessions are there?', 'sessions_list', { limit: 50 }],
  ['tell session main hello', 'sessions_send', { sessionKey: 'main', message: 'hello' }],
  ['tell the main session that dinner is ready', 'sessions_send', { sessionKey: 'main', message: 'dinner is ready' }],
  ['send hello to session main', 'sessions_send', { sessionKey: 'main', message: 'hello' }],
  [
    'send to session agent:Main:work: it is green',
    'sessions_send',
    { sessionKey: 'agent:Main:work', message: 'it is green' },
  ],
  ['tell session main "see you at 9"', 'sessions_send', { sessionKey: 'main', message: 'see you at 9' }],
  ['status', 'session_status', {}],
  ['how are you running?', 'session_status', {}],
]

const ANSWERS: readonly (readonly [phrase: string, part: string])[] = [
  ['which model are you?', 'built-in offline model'],
  ['who are you?', 'built-in offline model'],
  ['are you an AI?', 'not an AI'],
  ['how do I add a model?', 'models.providers.<name>.baseUrl'],
  ['what time is it?', 'It is Mon 2026-11-23 10:00 Europe/Berlin (+01:00).'],
  ['what time is it in Tokyo?', 'It is Mon 2026-11-23 18:00 Asia/Tokyo (+09:00).'],
  ["what's the time in New York right now?", 'It is Mon 2026-11-23 04:00 America/New_York (-05:00).'],
  ['what day is it today?', 'It is Mon 2026-11-23'],
  ['what time is it in Atlantis?', 'I do not know that place'],
  ['help', 'remind me in 20 minutes to call mum'],
  ['what can you do?', 'what is scheduled?'],
  ['hi', 'Hello!'],
  ['good morning', 'Hello!'],
  ['how are you?', 'All is well'],
  ['thanks!', 'You are welcome.'],
  ['ok thanks', 'You are welcome.'],
  ['bye', 'Goodbye.'],
  ['ok', 'Good.'],
]

describe('a question or command is one first call', () => {
  it.each(FIRST_CALLS)('%s', async (phrase, name, args) => {
    const { calls } = await ask(phrase)
    expect(calls[0] && { name: calls[0].name, args: calls[0].args }).toEqual({ name, args })
  })
})

describe('what needs no tool is answered at once', () => {
  it.each(ANSWERS)('%s', async (phrase, part) => {
    const { calls, text } = await ask(phrase)
    expect(calls).toEqual([])
    expect(text).toContain(part)
  })
})

describe('a tool that is not there', () => {
  it.each([
    ['remind me at 18:00 to eat', 'cron'],
    ['what is scheduled?', 'cron'],
    ['cancel the first one', 'cron'],
    ['list sessions', 'sessions_list'],
    ['tell session main hello', 'sessions_send'],
    ['what did we talk about?', 'sessions_history'],
  ])('%s', async (phrase, tool) => {
    const { calls, text } = await ask(phrase, { tools: [] })
    expect(calls).toEqual([])
    expect(text).toContain(`the tool \`${tool}\` is not available`)
  })

  it('status still says who is speaking', async () => {
    expect((await ask('status', { tools: [] })).text).toContain('built-in offline model')
  })
})
