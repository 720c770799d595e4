// What machines and people tell the gateway by hand: events for the main session, heartbeats, who is connected.
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT } from '../shell.ts'

export const event: Run = async (args, shell) => {
  const text = args.text('text')
  const mode = args.text('mode') ?? 'next-heartbeat'
  if (!text?.trim()) throw args.usage('Which text? Give --text.')
  if (mode !== 'now' && mode !== 'next-heartbeat') throw args.usage(`--mode is now or next-heartbeat, not "${mode}".`)
  const answer = await withGateway(args, shell, ({ call }) =>
    call('wake', { mode, text, idempotencyKey: shell.random.uuid() }),
  )
  if (args.has('json')) writeJson(shell, answer)
  else shell.stdout.write('The main session is told at its next free moment.\n')
  return EXIT.ok
}

export const presence: Run = async (args, shell) => {
  writeJson(shell, await withGateway(args, shell, ({ call }) => call('system-presence', {})))
  return EXIT.ok
}

export const heartbeat: Run = async (args, shell) => {
  const [what = 'last'] = args.positionals
  if (what === 'last') {
    writeJson(shell, await withGateway(args, shell, ({ call }) => call('last-heartbeat', {})))
    return EXIT.ok
  }
  if (what !== 'enable' && what !== 'disable') throw args.usage(`last, enable or disable, not "${what}".`)
  const enabled = what === 'enable'
  writeJson(shell, await withGateway(args, shell, ({ call }) => call('set-heartbeats', { enabled })))
  return EXIT.ok
}
