// What a person may say to the gateway itself in a chat. Each command is answered at once, whatever runs there (W7): it
// calls methods that wait for no lane and no turn, with the scope that each one declares and no other. It writes nothing
// itself, and what is no command is a message to the agent.
import { formatDuration } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { MethodName, ParamsInput, Result } from '../protocol/catalogue.ts'
import type { Job } from '../protocol/job.ts'
import { QUEUE_MODES } from '../protocol/queue-modes.ts'
import type { Store } from '../store/port.ts'
import type { Buttons } from '../store/rows.ts'
import { jobButtons } from './job-buttons.ts'

const JOBS_SHOWN_MAX = 20
const NAME_LENGTH_MAX = 60

export interface Asking {
  readonly channelId: string
  readonly chatId: string
  readonly sessionKey: string
  /** What stands behind the command's name. */
  readonly words: string
  readonly nowMs: number
  /** 0: the channel has no buttons. */
  readonly actionBytesMax: number
  readonly store: Store
  readonly call: <M extends MethodName>(method: M, params: ParamsInput<M>) => Promise<Result<M>>
  /** Of the stranger who has the code that the words are; what the person is told. */
  readonly decide: (verb: 'approve' | 'deny') => Promise<string>
}

interface ChatCommand {
  readonly name: string
  readonly description: string
  /** What the person is told at once; undefined: nothing now. */
  readonly answer: (asking: Asking) => Promise<Told>
}

/** Words, or words with buttons under them. */
export type Told = string | { readonly text: string; readonly buttons: Buttons | undefined } | undefined

export const COMMANDS: readonly ChatCommand[] = [
  { name: 'new', description: 'Begin a new conversation', answer: begin },
  { name: 'stop', description: 'Stop what runs in this chat', answer: stop },
  { name: 'status', description: 'What runs here, and which model answers', answer: status },
  { name: 'jobs', description: 'The jobs of this chat', answer: jobs },
  { name: 'model', description: 'Which model answers here, or another one: /model <name>', answer: model },
  { name: 'queue', description: 'What becomes of a message while a turn runs: /queue <mode>', answer: queue },
  { name: 'usage', description: 'What this conversation and today have used', answer: usage },
  { name: 'compact', description: 'Have this conversation summarised', answer: compact },
  { name: 'resend', description: 'Send a message again: /resend <id>', answer: resend },
  {
    name: 'approve',
    description: 'Let a stranger in, as an owner: /approve <code>',
    answer: asks => decided(asks, 'approve'),
  },
  {
    name: 'deny',
    description: 'Leave a stranger out, as an owner: /deny <code>',
    answer: asks => decided(asks, 'deny'),
  },
  { name: 'help', description: 'These commands', answer: help },
]
/** What a chat begins with, and another word for the same. */
const ALSO: Readonly<Record<string, string>> = { start: 'help', reset: 'new' }

/** Whom a command is for has been read by its channel: one with a name is another's. */
const WRITTEN = /^\/([a-z]+)(?:\s+([\s\S]*\S))?\s*$/i

/** The command that a message is, if it is one. With words of its own, `/new` is a message that begins anew. */
export function commandOf(text: string): { command: ChatCommand; words: string } | undefined {
  const [, written = '', words = ''] = WRITTEN.exec(text.trim()) ?? []
  const name = ALSO[written.toLowerCase()] ?? written.toLowerCase()
  const command = COMMANDS.find(each => each.name === name)
  return command && !(name === 'new' && words !== '') ? { command, words } : undefined
}

async function begin({ call, sessionKey }: Asking): Promise<string> {
  const { runs } = await call('sessions.status', { key: sessionKey })
  await call('sessions.reset', { key: sessionKey })
  const begun = 'A new conversation begins with your next message.'
  return runs.length === 0 ? begun : `${begun} What runs here goes on to its end; /stop ends it.`
}

async function stop({ call, sessionKey }: Asking): Promise<string> {
  const { aborted } = await call('chat.abort', { sessionKey })
  return aborted ? 'Stopped.' : 'Nothing was running here.'
}

async function status({ call, sessionKey, nowMs }: Asking): Promise<string> {
  const { model, zone, now, runs } = await call('sessions.status', { key: sessionKey })
  const running = runs.find(run => run.startedAt !== undefined)
  const forMs = running?.startedAt === undefined ? 0 : Math.max(0, nowMs - running.startedAt)
  const waiting = runs.length - (running ? 1 : 0)
  return [
    running ? `A turn runs here, for ${formatDuration(Math.floor(forMs / 1000) * 1000)}.` : 'Nothing runs here.',
    ...(waiting > 0 ? [`Waiting: ${waiting}.`] : []),
    `Model: ${model}`,
    `Time: ${now} (${zone})`,
  ].join('\n')
}

async function jobs({ call, sessionKey, actionBytesMax }: Asking): Promise<Told> {
  const listed = await call('cron.list', { includeDisabled: true })
  const { zone } = await call('sessions.status', { key: sessionKey })
  const own = listed.jobs.filter(job => job.sessionKey === sessionKey)
  if (own.length === 0) return 'This chat has no jobs.'
  const more = own.length > JOBS_SHOWN_MAX ? [`... and ${own.length - JOBS_SHOWN_MAX} more.`] : []
  const shown = own.slice(0, JOBS_SHOWN_MAX)
  const text = [...shown.map(job => lineOf(job, zone)), ...more].join('\n')
  return { text, buttons: jobButtons(shown, actionBytesMax) }
}

function lineOf({ name, enabled, state }: Job, zone: string): string {
  const next = state.nextRunAtMs === undefined ? 'not again' : `next ${formatInstant(state.nextRunAtMs, zone)}`
  const short = name.length > NAME_LENGTH_MAX ? `${[...name].slice(0, NAME_LENGTH_MAX - 1).join('')}…` : name
  return `- ${short}: ${enabled ? next : 'paused'}`
}

async function model({ call, sessionKey, words }: Asking): Promise<string> {
  if (words !== '') await call('sessions.patch', { key: sessionKey, model: words === 'default' ? null : words })
  if (words !== '')
    return words === 'default' ? 'The usual model answers here again.' : `${words} answers here from now on.`
  const { model: now } = await call('sessions.status', { key: sessionKey })
  return `Model: ${now}\nAnother one: /model <provider>/<name>; the usual one: /model default`
}

async function queue({ call, store, sessionKey, words }: Asking): Promise<string> {
  const mode = QUEUE_MODES.find(each => each === words.toLowerCase())
  if (!mode && words !== 'default') {
    const now = store.read.session(sessionKey)?.settings.queueMode ?? 'the usual one'
    return `Queue mode here: ${now}.\nAnother one: /queue ${QUEUE_MODES.join(', ')} or default`
  }
  await call('sessions.patch', { key: sessionKey, queueMode: mode ?? null })
  return mode ? `Queue mode here: ${mode}, from now on.` : 'The usual queue mode holds here again.'
}

async function usage({ call, sessionKey }: Asking): Promise<string> {
  const { inputTokens, outputTokens } = await call('sessions.status', { key: sessionKey })
  const { totals } = await call('usage.cost', { days: 1 })
  const cost = totals.missingCostEntries > 0 ? '' : `, ${totals.totalCost.toFixed(2)} USD`
  return `This conversation: ${inputTokens} tokens in, ${outputTokens} out.\nAll of today: ${totals.totalTokens} tokens${cost}.`
}

async function compact({ call, sessionKey }: Asking): Promise<string> {
  const { reason } = await call('sessions.compact', { key: sessionKey, waitSeconds: 0 })
  if (reason === 'no sessionId' || reason === 'no transcript') return 'There is nothing to summarise yet.'
  return 'This conversation is summarised as soon as nothing runs here.'
}

/** A chat is sent again only what was meant for it. */
async function resend({ store, call, channelId, chatId, words: id }: Asking): Promise<string | undefined> {
  const send = store.read.send(id)
  if (send?.channelId !== channelId || send.chatId !== chatId) {
    throw new SluiceError('NOT_FOUND', `There is nothing to send again under the id ${id}.`)
  }
  const { queued, state } = await call('outbox.resend', { id })
  return queued ? undefined : `Nothing was sent again: that message is ${state}.`
}

async function decided({ words, decide }: Asking, verb: 'approve' | 'deny'): Promise<string> {
  return words === '' ? `Whom? /${verb} <code>, with the code that you were told.` : await decide(verb)
}

async function help(): Promise<string> {
  const lines = COMMANDS.map(({ name, description }) => `/${name} - ${description}`)
  return ['Write to me as to a person. At any time:', ...lines].join('\n')
}
