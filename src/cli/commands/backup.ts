// `sluice backup` makes, checks and restores backups of this machine's state folder. It asks no gateway: making one works
// beside a gateway that runs, and restoring one refuses while it does.
import { SECOND } from '../../base/durations.ts'
import type { Arguments } from '../arguments.ts'
import type { BackupFacts } from '../backups.ts'
import type { Run } from '../command.ts'
import { writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { relative, shortInstant } from '../text/times.ts'

/** How long copying may be silent on a terminal. */
const QUIET_MS_MAX = SECOND

export const create: Run = async (args, shell) => {
  const backups = await shell.backups()
  const progress = progressFor(shell)
  const [file] = args.positionals
  const options = { withSecrets: args.has('with-secrets'), progress: progress.show }
  const facts = await backups.create(file, options).finally(progress.end)
  const secrets = facts.secrets
    ? 'The token and all secrets are in it: keep it as safe as they are.'
    : 'Without the token and the secrets of the config (--with-secrets puts them in).'
  return answer(args, shell, { facts, before: 'Backed up and checked.', after: [secrets] })
}

export const verify: Run = async (args, shell) => {
  const facts = (await shell.backups()).verify(fileOf(args))
  return answer(args, shell, { facts, before: 'The backup is whole.', after: [] })
}

export const restore: Run = async (args, shell) => {
  const facts = (await shell.backups()).restore(fileOf(args), { force: args.has('force') })
  const old = facts.keptOldAs === undefined ? [] : [`The store that was there is kept: ${facts.keptOldAs}`]
  return answer(args, shell, { facts, before: 'Restored.', after: [...old, ...facts.told] })
}

function fileOf(args: Arguments): string {
  const [file] = args.positionals
  if (file === undefined) throw args.usage('Which file?')
  return file
}

interface Answer {
  readonly facts: BackupFacts
  readonly before: string
  readonly after: readonly string[]
}

function answer(args: Arguments, shell: Shell, { facts, before, after }: Answer): number {
  if (args.has('json')) {
    writeJson(shell, facts)
    return EXIT.ok
  }
  const made = `${shortInstant(facts.createdAtMs, shell.zone)} (${relative(facts.createdAtMs, shell.clock.now())})`
  const rows = Object.entries(facts.rows).map(([table, count]) => `${table} ${count}`)
  const lines = [
    before,
    `file      ${facts.file} (${Math.ceil(facts.bytes / 1_024)} KiB)`,
    `made      ${made}, by Sluice ${facts.version}, schema version ${facts.schema}`,
    `rows      ${rows.join(', ')}`,
    ...after,
  ]
  shell.stdout.write(lines.map(line => `${sanitizeLine(line)}\n`).join(''))
  return EXIT.ok
}

/** A line on a terminal's stderr, once it takes long. */
function progressFor(shell: Shell): { show(done: number): void; end(): void } {
  const startedMs = shell.clock.monotonic()
  let shown = false
  return {
    show: done => {
      if (!shell.stderr.isTTY || shell.clock.monotonic() - startedMs < QUIET_MS_MAX) return
      shown = true
      shell.stderr.write(`\r\u001b[Kcopying the store… ${Math.floor(done * 100)} %`)
    },
    end: () => {
      if (shown) shell.stderr.write('\r\u001b[K')
    },
  }
}
