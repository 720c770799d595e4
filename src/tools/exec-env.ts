// The environment of a command that a turn runs: what programs need to work, the way back to this gateway, and the cause
// by which it is known there. Nothing else of ours is handed on: no token, no key of a provider.
import { SluiceError } from '../base/errors.ts'

export type Env = Readonly<Record<string, string | undefined>>

const PATH_DEFAULT = '/usr/local/bin:/usr/bin:/bin'
const HANDED_ON = /^(HOME|LANG|LC_[A-Z]+|TZ|USER)$/
/** They say whose a process is, or make a program load or run what its command does not name. */
const RESERVED =
  /^(SLUICE_\w*|LD_\w*|DYLD_\w*|NODE_OPTIONS|NODE_PATH|PYTHON\w*|PERL5?\w*|RUBY\w*|\w*JAVA_(TOOL_)?OPTIONS|BASH\w*|SHELLOPTS|ENV|IFS|PS4|PATH|HOME|XDG_CONFIG_\w*|GCONV_PATH|GIT_(?!AUTHOR_|COMMITTER_)\w*|SSH_ASKPASS|PAGER|EDITOR|VISUAL)$/

/** Refuses what a model may not set. */
export function checkNames(env: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(env)) {
    if (/^[A-Za-z_]\w*$/.test(name) && !RESERVED.test(name)) continue
    const message = `Nothing was run: "${name.slice(0, 100)}" may not be set for a command. Leave it out.`
    throw new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
  }
}

/** Our own command is found last, so that it hides nothing. */
export function pathOf(env: Env, binFolder: string): string {
  return `${env.PATH || PATH_DEFAULT}:${binFolder}`
}

export function childEnv(env: Env, added: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => HANDED_ON.test(entry[0]) && entry[1] !== undefined,
  )
  return { ...Object.fromEntries(kept), TERM: 'dumb', ...added }
}
