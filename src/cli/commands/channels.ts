// `sluice channels` and `sluice pairing`: how the channels are, how one is added, and who may talk there. A token is never
// taken from the command line, where others on the machine could read it.
import type { Result } from '../../protocol/catalogue.ts'
import type { Arguments } from '../arguments.ts'
import type { FindBot } from '../bots.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { type Column, renderTable } from '../text/table.ts'
import { relative } from '../text/times.ts'
import { change, written } from './config.ts'

type Account = Result<'channels.status'>['channelAccounts'][string][number] & { readonly id: string }
type Listed = Result<'channels.pairing.list'>
type Named = { readonly name?: string | undefined; readonly handle?: string | undefined; readonly person: string }

const HOW = 'Add one with: sluice channels add telegram'

export const status: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, ({ call }) => call('channels.status', {}))
  const rows = Object.entries(answer.channelAccounts).flatMap(([id, accounts]) =>
    accounts.map(account => ({ ...account, id })),
  )
  const nowMs = shell.clock.now()
  const when = (atMs: number | null) => (atMs === null ? '-' : relative(atMs, nowMs))
  const columns: Column<Account>[] = [
    { title: 'Channel', cell: ({ id }) => sanitizeLine(id) },
    { title: 'State', cell: ({ phase }) => sanitizeLine(phase) },
    { title: 'Account', cell: ({ account }) => sanitizeLine(account ?? '-'), leaves: 1 },
    { title: 'Heard', cell: ({ heard, lastInboundAt }) => `${heard}, last ${when(lastInboundAt)}` },
    { title: 'Sent', cell: ({ lastOutboundAt }) => `last ${when(lastOutboundAt)}`, leaves: 2 },
    { title: 'Waiting', cell: ({ queued }) => String(queued) },
  ]
  if (args.has('json')) writeJson(shell, answer)
  else if (rows.length === 0) shell.stdout.write(`There are no channels. ${HOW}\n`)
  else {
    table(shell, { rows, columns })
    for (const { id, lastError, dropped } of rows) {
      const counted = Object.entries(dropped).map(([why, count]) => `${why} ${count}`)
      if (counted.length > 0) shell.stdout.write(`${sanitizeLine(`${id}: not heard: ${counted.join(', ')}`)}\n`)
      if (lastError !== null) shell.stdout.write(`${sanitizeLine(`${id}: ${lastError}`)}\n`)
    }
  }
  return EXIT.ok
}

export const add: Run = async (args, shell) => {
  if (args.positionals[0] !== 'telegram') throw args.usage('Which channel? There is: telegram')
  if (args.text('token')?.includes(':')) throw args.usage(NO_TOKEN_HERE)
  const file = args.text('token-file')
  const token = file === undefined && !args.has('use-env') ? await tokenFrom(args, shell) : undefined
  const { enabled, botToken, tokenFile, ...kept } = {
    ...((await written(args, shell, KEY)) as TelegramKeys | undefined),
  }
  const find = await shell.bots()
  const bot = await find({ token, file, apiRoot: kept.apiRoot })
  const to = {
    ...kept,
    ...(token !== undefined && { botToken: token }),
    ...(file !== undefined && { tokenFile: file }),
  }
  await change(args, shell, { written: KEY, to })
  if (!args.has('json')) shell.stdout.write(`${[...knownAs(bot), ...NEXT].map(sanitizeLine).join('\n')}\n`)
  return EXIT.ok
}

const NO_TOKEN_HERE =
  "--token is the gateway's own. A bot's never stands on a command line: leave it out and paste it when asked, or name --token-file."
const KEY = 'channels.telegram'
type TelegramKeys = Readonly<Partial<Record<'enabled' | 'botToken' | 'tokenFile' | 'apiRoot', string>>>

const NEXT = [
  'Next: write to the bot in Telegram. It answers with a code.',
  'Then: sluice pairing approve <code> --owner lets you in as the owner. Nobody else can talk to your agent:',
  'when somebody asks to, you are asked in that chat, and let them in or not.',
]

function knownAs(bot: Awaited<ReturnType<FindBot>>): string[] {
  if ('account' in bot) return [`Telegram knows this bot as @${bot.account}.`]
  return [`Telegram was not asked whether it knows the token: ${bot.problem}`, 'sluice channels status will say it.']
}

async function tokenFrom(args: Arguments, shell: Shell): Promise<string> {
  if (shell.stdin.isTTY) shell.stderr.write('Token from @BotFather: ')
  const line = Promise.withResolvers<string>()
  let text = ''
  const stop = shell.stdin.read({
    text: chunk => {
      text += chunk
      if (text.includes('\n')) line.resolve(text)
    },
    end: () => line.resolve(text),
  })
  const token = (await line.promise.finally(stop)).trim()
  if (token === '') throw args.usage('Give the token on stdin, or name --token-file or --use-env.')
  return token
}

export const people: Run = async (args, shell) => {
  const listed = await withGateway(args, shell, ({ call }) => call('channels.pairing.list', {}))
  const nowMs = shell.clock.now()
  const waiting: Column<Listed['strangers'][number]>[] = [
    { title: 'Code', cell: ({ code }) => sanitizeLine(code) },
    ...who(),
    { title: 'Until', cell: ({ expiresAtMs }) => relative(expiresAtMs, nowMs) },
    { title: 'Denied by', cell: ({ deniedBy }) => sanitizeLine(deniedBy ?? '-'), leaves: 2 },
  ]
  const letInColumns: Column<Listed['people'][number]>[] = [
    ...who(),
    { title: 'Since', cell: ({ letInAtMs }) => relative(letInAtMs, nowMs) },
    { title: 'Owner', cell: ({ owner }) => (owner ? 'yes' : '-') },
    { title: 'By', cell: ({ letInBy }) => sanitizeLine(letInBy), leaves: 2 },
  ]
  if (args.has('json')) writeJson(shell, listed)
  else if (listed.strangers.length + listed.people.length === 0)
    shell.stdout.write('Nobody waits, and nobody was let in.\n')
  else {
    if (listed.strangers.length > 0) table(shell, { title: 'Strangers:', rows: listed.strangers, columns: waiting })
    if (listed.people.length > 0) table(shell, { title: 'Let in:', rows: listed.people, columns: letInColumns })
  }
  return EXIT.ok
}

export const letIn: Run = async (args, shell) => {
  const [code] = args.positionals
  if (code === undefined) throw args.usage('Which code? sluice pairing list')
  const answer = await withGateway(args, shell, ({ call }) =>
    call('channels.pairing.approve', { code, owner: args.has('owner'), idempotencyKey: shell.random.uuid() }),
  )
  const { person } = answer
  const as = person.owner ? 'Let in as an owner' : 'Let in'
  return tell(args, shell, { answer, text: `${as}: ${shownName(person)}, on ${person.channel}. They were told.` })
}

export const leaveOut: Run = async (args, shell) => {
  const [code] = args.positionals
  if (code === undefined) throw args.usage('Which code? sluice pairing list')
  const answer = await withGateway(args, shell, ({ call }) =>
    call('channels.pairing.deny', { code, idempotencyKey: shell.random.uuid() }),
  )
  const text = `Not let in: ${shownName(answer.stranger)}. They were told nothing, and may ask again in an hour.`
  return tell(args, shell, { answer, text })
}

export const shutOut: Run = async (args, shell) => {
  const [channel, person] = args.positionals
  if (channel === undefined || person === undefined) throw args.usage('Whom, on which channel? sluice pairing list')
  const ownerOnly = args.has('owner')
  const answer = await withGateway(args, shell, ({ call }) =>
    call('channels.pairing.revoke', { channel, person, ownerOnly, idempotencyKey: shell.random.uuid() }),
  )
  const done = ownerOnly ? `No owner any more: ${person}.` : `Shut out: ${person}.`
  const nobody = ownerOnly ? 'is no owner.' : 'was not let in by a code; see allowFrom in the config.'
  const text = answer.removed ? done : `${person} ${nobody}`
  return tell(args, shell, { answer, text })
}

function who(): Column<Named & { readonly channel: string }>[] {
  return [
    { title: 'Channel', cell: ({ channel }) => sanitizeLine(channel) },
    { title: 'Person', cell: ({ person }) => sanitizeLine(person) },
    { title: 'Name', cell: shownName, widthMin: 12, leaves: 1 },
  ]
}

/** What they say of themselves cannot pass for ours. */
function shownName({ name, handle, person }: Named): string {
  const shown = [name, handle === undefined ? undefined : `@${handle}`].filter(part => part !== undefined).join(' ')
  return sanitizeLine(shown || person)
}

function table<Row>(
  shell: Shell,
  { title, rows, columns }: { title?: string; rows: readonly Row[]; columns: readonly Column<Row>[] },
): void {
  const look = { width: shell.stdout.columns(), paint: paintFor(shell.color) }
  shell.stdout.write(`${title === undefined ? '' : `${title}\n`}${renderTable(rows, columns, look)}`)
}

function tell(args: Arguments, shell: Shell, { answer, text }: { answer: unknown; text: string }): number {
  if (args.has('json')) writeJson(shell, answer)
  else shell.stdout.write(`${sanitizeLine(text)}\n`)
  return EXIT.ok
}
