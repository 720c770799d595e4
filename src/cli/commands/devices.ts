// Devices that were let in and those that wait to be: shown, let in, refused, shut out. What a device says of itself is
// shown as text that cannot pass for ours; its id is what a person compares.
import type { Result } from '../../protocol/catalogue.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { type Link, withGateway, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { type Column, renderTable } from '../text/table.ts'
import { relative } from '../text/times.ts'
import { UsageError } from '../usage.ts'

type Listed = Result<'device.pair.list'>
type Pending = Listed['pending'][number]
type Paired = Listed['paired'][number]

const ROLE = 'operator'

export const list: Run = async (args, shell) => {
  const listed = await withGateway(args, shell, ({ call }) => call('device.pair.list', {}))
  if (args.has('json')) {
    writeJson(shell, listed)
    return EXIT.ok
  }
  const { pending, paired } = listed
  const nowMs = shell.clock.now()
  const table = <Row>(title: string, rows: readonly Row[], columns: Column<Row>[]) => {
    if (rows.length === 0) return
    const paint = paintFor(shell.color)
    shell.stdout.write(`${title}\n${renderTable(rows, columns, { width: shell.stdout.columns(), paint })}`)
  }
  table('Waiting to be let in:', pending, pendingColumns(nowMs))
  if (pending.length > 0) shell.stdout.write('Answer with: sluice devices approve <request>, or reject <request>\n')
  table('Let in:', paired, pairedColumns(nowMs))
  if (pending.length + paired.length === 0) shell.stdout.write('No devices.\n')
  return EXIT.ok
}

function nameOf({ displayName, clientId, platform }: Pending | Paired): string {
  return sanitizeLine(`${displayName ?? clientId} (${platform})`)
}

function pendingColumns(nowMs: number): Column<Pending>[] {
  return [
    { title: 'Request', cell: row => sanitizeLine(row.requestId) },
    { title: 'Device', cell: row => sanitizeLine(row.deviceId), widthMin: 12 },
    { title: 'Name', cell: nameOf, widthMin: 12, leaves: 1 },
    { title: 'From', cell: row => sanitizeLine(row.remoteIp ?? '-'), leaves: 2 },
    { title: 'Wants', cell: row => sanitizeLine(row.scopes.join(' ')) },
    { title: 'Until', cell: row => relative(row.expiresAtMs, nowMs) },
  ]
}

function pairedColumns(nowMs: number): Column<Paired>[] {
  return [
    { title: 'Device', cell: row => sanitizeLine(row.deviceId), widthMin: 12 },
    { title: 'Name', cell: nameOf, widthMin: 12, leaves: 2 },
    { title: 'From', cell: row => sanitizeLine(row.remoteIp ?? '-'), leaves: 1 },
    { title: 'Scopes', cell: row => sanitizeLine(row.scopes.join(' ')) || 'none: revoked', leaves: 3 },
    { title: 'Used', cell: row => relative(lastUse(row), nowMs) },
  ]
}

function lastUse({ tokens }: Paired): number | undefined {
  return tokens.map(token => token.lastUsedAtMs).find(atMs => atMs !== undefined)
}

export const approve: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, async ({ call }) => {
    const requestId = await requestOf(args, call)
    return await call('device.pair.approve', { requestId, idempotencyKey: shell.random.uuid() })
  })
  return tell(args, shell, { answer, text: `Let in: ${nameOf(answer.device)}, with ${answer.device.scopes.join(' ')}` })
}

export const reject: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, async ({ call }) => {
    const requestId = await requestOf(args, call)
    return await call('device.pair.reject', { requestId, idempotencyKey: shell.random.uuid() })
  })
  return tell(args, shell, { answer, text: `Refused: ${sanitizeLine(answer.deviceId)}` })
}

export const revoke: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, async ({ call }) => {
    const { paired } = await call('device.pair.list', {})
    const deviceId = findOne(
      args,
      'device',
      paired.map(row => row.deviceId),
    )
    return await call('device.token.revoke', { deviceId, role: ROLE, idempotencyKey: shell.random.uuid() })
  })
  return tell(args, shell, { answer, text: `Shut out: ${sanitizeLine(answer.deviceId)}. Its connections are closed.` })
}

function tell(args: Arguments, shell: Shell, { answer, text }: { answer: unknown; text: string }): number {
  if (args.has('json')) writeJson(shell, answer)
  else shell.stdout.write(`${text}\n`)
  return EXIT.ok
}

/** The pending request that was named. */
async function requestOf(args: Arguments, call: Link['call']): Promise<string> {
  const { pending } = await call('device.pair.list', {})
  const ids = pending.map(row => row.requestId)
  return findOne(args, 'request', ids)
}

/** The one of these ids that was named, whole or by its beginning. */
function findOne(args: Arguments, what: string, ids: readonly string[]): string {
  const reference = args.positionals[0]?.trim()
  if (!reference) throw args.usage(`Which ${what}? Give its id or the beginning of it: sluice devices list`)
  if (ids.includes(reference)) return reference
  const [found, ...more] = ids.filter(id => id.startsWith(reference))
  if (found === undefined)
    throw new UsageError(`There is no ${what} "${reference}". What there is: sluice devices list`)
  if (more.length === 0) return found
  throw new UsageError(`"${reference}" begins the ids of ${more.length + 1} ${what}s; give more of the one.`)
}
