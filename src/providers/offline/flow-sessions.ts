// The flows about sessions and the gateway itself: list, history, sending to another session, status, the time. They
// show what the tools answered and add nothing to it.
import { MINUTE } from '../../base/durations.ts'
import { formatInstant } from '../../base/zoned-time.ts'
import { lastStep, type Step } from './conversation.ts'
import type { Intent } from './intent.ts'
import { asFields, asList, asNumber, asText } from './jobs.ts'
import { IDENTITY } from './replies.ts'
import { call, type Decision, failureOf, type PlannedCall, type Scene, say } from './scene.ts'

const SESSIONS_SHOWN_MAX = 50
const MESSAGES_SHOWN_MAX = 20
const PREVIEW_LENGTH_MAX = 200

/** Calls a tool once and shows its answer. */
function showing(
  scene: Scene,
  planned: PlannedCall,
  show: (data: Readonly<Record<string, unknown>>) => string,
): Decision {
  const step = lastStep(scene.steps, planned.name)
  if (!step) return call(scene, planned.name, planned.args)
  return say(failureOf(step) ?? show(asFields(step.result?.data)))
}

export function sessions(scene: Scene): Decision {
  return showing(scene, { name: 'sessions_list', args: { limit: SESSIONS_SHOWN_MAX } }, data => {
    const lines = asList(data.sessions).map(value => sessionLine(asFields(value), scene.zone))
    return lines.length === 0 ? 'There are no sessions.' : [`Sessions (${lines.length}):`, ...lines].join('\n')
  })
}

function sessionLine(session: Readonly<Record<string, unknown>>, zone: string): string {
  const updatedAt = asNumber(session.updatedAt)
  const preview = previewOf(asText(session.lastMessagePreview))
  const parts = [
    asText(session.label),
    asText(session.kind),
    updatedAt === undefined ? '' : `last used ${formatInstant(updatedAt, zone)}`,
    preview && `“${preview}”`,
  ]
  return `- ${[asText(session.key), ...parts].filter(Boolean).join('; ')}`
}

function previewOf(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line.length > PREVIEW_LENGTH_MAX ? `${line.slice(0, PREVIEW_LENGTH_MAX - 1)}…` : line
}

export function conversation(scene: Scene): Decision {
  return showing(scene, { name: 'sessions_history', args: { limit: MESSAGES_SHOWN_MAX } }, data => {
    const lines = asList(data.messages)
      .map(value => messageLine(asFields(value)))
      .filter(Boolean)
    return lines.length === 0
      ? 'There is nothing in this session yet.'
      : ['The latest messages of this session:', ...lines].join('\n')
  })
}

const ROLES: Readonly<Record<string, string>> = { user: 'You', assistant: 'I' }

/** Tool results and empty messages are left out. */
function messageLine(message: Readonly<Record<string, unknown>>): string {
  const { content } = message
  const texts = typeof content === 'string' ? [content] : asList(content).map(part => asText(asFields(part).text))
  const role = asText(message.role)
  const text = previewOf(texts.join(' '))
  return text !== '' && Object.hasOwn(ROLES, role) ? `- ${ROLES[role]}: ${text}` : ''
}

export function send(scene: Scene, { sessionKey, message }: Extract<Intent, { kind: 'send' }>): Decision {
  return showing(scene, { name: 'sessions_send', args: { sessionKey, message } }, data => {
    const reply = asText(data.reply)
    if (reply !== '') return `Sent to ${sessionKey}: “${message}”. It answered: ${reply}`
    return `Sent to ${sessionKey}: “${message}”. Status: ${asText(data.status) || 'unknown'}.`
  })
}

export function status(scene: Scene): Decision {
  const wanted: PlannedCall[] = [
    { name: 'session_status', args: {} },
    { name: 'cron', args: { action: 'status' } },
  ].filter(({ name }) => scene.tools.has(name))
  const [first, ...more] = wanted
  const session = lastStep(scene.steps, 'session_status')
  const scheduler = lastStep(scene.steps, 'cron', 'status')
  if (first && !session && !scheduler) return { kind: 'call', calls: [first, ...more] }
  const lines = [session && sessionStatus(session), scheduler && schedulerStatus(scene, scheduler)]
  return say([...lines, IDENTITY].filter(Boolean).join('\n'))
}

function sessionStatus(step: Step): string {
  const failure = failureOf(step)
  if (failure) return failure
  const data = asFields(step.result?.data)
  const facts = Object.entries(data).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
  return `Session: ${facts.map(([name, value]) => `${name} ${value}`).join(', ')}.`
}

function schedulerStatus(scene: Scene, step: Step): string {
  const failure = failureOf(step)
  if (failure) return failure
  const data = asFields(step.result?.data)
  const wakeAtMs = asNumber(data.nextWakeAtMs)
  const next = wakeAtMs === undefined ? 'nothing is due' : `next at ${formatInstant(wakeAtMs, scene.zone)}`
  return `Scheduler: ${data.enabled === false ? 'off' : 'on'}, ${asNumber(data.jobs) ?? 0} jobs, ${next}.`
}

export function time(scene: Scene, zone: string | undefined): Decision {
  return say(`It is ${formatInstant(scene.now - (scene.now % MINUTE), zone ?? scene.zone)}.`)
}
