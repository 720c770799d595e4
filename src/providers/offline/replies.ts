// Fixed texts: who is speaking, what it understands, and how it asks back. It always says that it is the built-in
// model and how to get a full one, and it never claims that something was done.

import { changingSteps, type Step } from './conversation.ts'
import type { Mood, Unclear } from './intent.ts'
import { asText } from './jobs.ts'

export const IDENTITY =
  'I am the built-in offline model of Sluice (`sluice/offline`): a fixed grammar, not an AI. No model key is configured, or no configured ' +
  'model can be reached. To have one, start the gateway with a key of its provider (such as `ANTHROPIC_API_KEY`), or put into its config ' +
  '`models.providers.<name>.baseUrl` and `agents.defaults.model.primary`.'

export const HELP = [
  'I understand plain requests such as:',
  '- remind me in 20 minutes to call mum',
  '- remind me tomorrow at 9 to pay the rent',
  '- every weekday at 9 in Berlin say good morning',
  '- on the 1st of every month at 9 remind me to send the invoice',
  '- what is scheduled?',
  '- cancel the first one; pause, resume or run the stretch reminder',
  '- move the stretch reminder to 18:00',
  '- what ran today? history of the first one',
  '- what did we talk about? list sessions',
  '- tell session main hello',
  '- status; what time is it in Tokyo?',
  '',
  IDENTITY,
].join('\n')

const EXAMPLE =
  'For example: `remind me tomorrow at 9 to call Bob`. Quotation marks keep a text as it is. Say `help` for more.'

/** The one way of asking back: nothing was made, why, which part, what would work. */
export function askBack({ why, part }: Omit<Unclear, 'kind'>, steps: readonly Step[] = []): string {
  const lead =
    changingSteps(steps).length > 0
      ? madeBefore(steps)
      : 'I did not understand that wholly, so I have made and changed nothing.'
  const where = part ? ` (“${part}”)` : ''
  return [`${lead} ${why.replace(/\.$/, '')}${where}.`, EXAMPLE, IDENTITY].join('\n')
}

/** Another model may have begun this turn; what it did stands. */
function madeBefore(steps: readonly Step[]): string {
  const calls = changingSteps(steps).map(({ name, args, result }) => {
    const outcome = result ? (result.isError ? 'failed' : 'done') : 'outcome unknown'
    return `${[name, asText(args.action)].filter(Boolean).join(' ')} (${outcome})`
  })
  return `I took over in the middle of this turn and cannot go on with it. These calls were made before: ${calls.join(', ')}.`
}

const MOODS: Readonly<Record<Mood, string>> = {
  greeting: 'Hello! I can set reminders and look after scheduled jobs; say `help` to see how.',
  thanks: 'You are welcome.',
  farewell: 'Goodbye. What is scheduled goes on.',
  fine: 'All is well here. I can set reminders and look after scheduled jobs; say `help` to see how.',
  acknowledged: 'Good. Nothing is waiting for an answer.',
}

export function smallTalk(mood: Mood): string {
  return MOODS[mood]
}

/** For a message that no turn finished: not done, and said so. */
export function notReached(text: string): string {
  return `I did not get to “${text}”; say it again if it still holds.`
}

/** What came with a message and was not looked at. */
export function unseen(names: readonly string[]): string {
  return `I cannot see images or read files; I have not looked at ${names.join(', ')}.`
}
