// Sessions as people look after them: which there are, what was said in one, what is set for it, and its end.
import type { ParamsInput, Result } from '../../protocol/catalogue.ts'
import { QUEUE_MODES } from '../../protocol/queue-modes.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { tableFor } from '../tables.ts'
import { paintFor } from '../text/paint.ts'
import { sanitize, sanitizeLine } from '../text/sanitize.ts'
import type { Column } from '../text/table.ts'
import { relative } from '../text/times.ts'

const LINES_MAX = 500

export const list: Run = async (args, shell) => {
  const limit = args.whole('limit', { min: 1, max: 500 }) ?? 50
  const agentId = args.text('agent')
  const wanted = { limit, ...(agentId !== undefined && { agentId }) }
  const answer = await withGateway(args, shell, ({ call }) => call('sessions.list', wanted))
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.sessions.length === 0) shell.stdout.write('No sessions yet.\n')
  else {
    const nowMs = shell.clock.now()
    const columns: readonly Column<Result<'sessions.list'>['sessions'][number]>[] = [
      { title: 'Session', cell: row => sanitizeLine(row.label ?? row.key), widthMin: 16 },
      { title: 'State', cell: row => row.state },
      { title: 'Last', cell: row => relative(row.updatedAt ?? undefined, nowMs) },
      { title: 'Tokens', cell: row => String(row.totalTokens), leaves: 1 },
      { title: 'Last message', cell: row => sanitizeLine(row.lastMessagePreview ?? ''), widthMin: 12, leaves: 2 },
    ]
    shell.stdout.write(tableFor(shell)(answer.sessions, columns))
  }
  return EXIT.ok
}

export const show: Run = async (args, shell) => {
  const sessionKey = keyOf(args)
  const limit = args.whole('limit', { min: 1, max: LINES_MAX }) ?? 50
  const answer = await withGateway(args, shell, ({ call }) => call('chat.history', { sessionKey, limit }))
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.sessionId === undefined) {
    shell.stderr.write(`There is no session "${sanitizeLine(sessionKey)}". Which there are: sluice sessions\n`)
    return EXIT.failed
  } else if (answer.messages.length === 0) shell.stdout.write('Nothing was said in it yet.\n')
  else for (const message of answer.messages) shell.stdout.write(shown(message, shell))
  return EXIT.ok
}

const WHO = { user: '> ', assistant: '', toolResult: '' } as const

function shown({ role, content }: Result<'chat.history'>['messages'][number], shell: Shell): string {
  const paint = paintFor(shell.color)
  const lines = content.map(part => {
    if (part.type === 'toolCall')
      return paint.dim(sanitizeLine(`· ${String(part.name)} ${JSON.stringify(part.arguments)}`))
    const text = sanitize(part.text ?? '').trimEnd()
    return role === 'toolResult' ? paint.dim(`  ${sanitizeLine(text)}`) : WHO[role] + text
  })
  return `${lines.join('\n')}\n`
}

export const set: Run = async (args, shell) => {
  const key = keyOf(args)
  const patch = patchOf(args)
  if (Object.keys(patch).length === 0) throw args.usage('Set what? Give --label, --model or --queue.')
  const answer = await withGateway(args, shell, ({ call }) =>
    call('sessions.patch', { key, ...patch, idempotencyKey: shell.random.uuid() }),
  )
  if (args.has('json')) writeJson(shell, answer)
  else shell.stdout.write(`Set for ${sanitizeLine(answer.key)}: ${Object.keys(patch).join(', ')}\n`)
  return EXIT.ok
}

type Patch = Pick<ParamsInput<'sessions.patch'>, 'label' | 'model' | 'queueMode'>

/** An empty text takes the setting back. */
function patchOf(args: Arguments): Patch {
  const [label, model, queue] = ['label', 'model', 'queue'].map(name => args.text(name))
  const queueMode = QUEUE_MODES.find(mode => mode === queue)
  if (queue && !queueMode) throw args.usage(`--queue is one of ${QUEUE_MODES.join(', ')}, not "${queue}".`)
  return {
    ...(label !== undefined && { label: label || null }),
    ...(model !== undefined && { model: model || null }),
    ...(queue !== undefined && { queueMode: queueMode ?? null }),
  }
}

export const rm: Run = async (args, shell) => {
  const key = keyOf(args)
  const answer = await withGateway(args, shell, ({ call }) =>
    call('sessions.delete', { key, idempotencyKey: shell.random.uuid() }),
  )
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.deleted)
    shell.stdout.write(`Deleted ${sanitizeLine(answer.key)}. What is written to it begins it anew.\n`)
  else shell.stderr.write(`There is no session "${sanitizeLine(answer.key)}". Which there are: sluice sessions\n`)
  return answer.deleted ? EXIT.ok : EXIT.failed
}

function keyOf(args: Arguments): string {
  const [key] = args.positionals
  if (!key?.trim()) throw args.usage('Which session? Give its key: sluice sessions')
  return key.trim()
}
