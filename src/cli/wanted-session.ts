// Which session `--session` and `--agent` mean together. Whether there is such an agent, the gateway says.
import type { Arguments } from './arguments.ts'

/** Undefined: the main session of the default agent. */
export function wantedSession(args: Pick<Arguments, 'text'>): string | undefined {
  const [session, agent] = [args.text('session'), args.text('agent')]
  if (agent === undefined || session?.startsWith('agent:')) return session
  return `agent:${agent}:${session ?? 'main'}`
}
