// What every command that asks the gateway shares: one connection for the command, its time-outs, and a sign of life when
// the answer takes long. It ends the connection whatever happens.
import { SECOND } from '../base/durations.ts'
import type { CallOptions } from '../client/calls.ts'
import type { GatewayClient } from '../client/client.ts'
import type { Arguments } from './arguments.ts'
import type { Shell } from './shell.ts'

const TIMEOUT_MS_DEFAULT = 10 * SECOND
const TIMEOUT_MS_MAX = 86_400_000
/** How long a command may be silent on a terminal. */
const QUIET_MS_MAX = SECOND

export interface Link {
  readonly client: GatewayClient
  /** For calls that are answered at once. */
  readonly call: GatewayClient['call']
  /** The same as options, for calls that wish for more. */
  readonly options: CallOptions
  /** From here on nothing tells that the command waits: it is its work to. */
  endProgress(): void
}

/** Connects, runs and closes; Ctrl-C meanwhile ends the process, as the work asked for is the gateway's own. */
export async function withGateway<T>(args: Arguments, shell: Shell, run: (link: Link) => Promise<T>): Promise<T> {
  const timeoutMs = args.whole('timeout', { min: 1, max: TIMEOUT_MS_MAX }) ?? TIMEOUT_MS_DEFAULT
  return withProgress(shell, 'waiting for the gateway', async endProgress => {
    const client = await connectFor(args, shell, timeoutMs)
    try {
      const options = { timeoutMs }
      return await run({ client, options, call: (method, params) => client.call(method, params, options), endProgress })
    } finally {
      client.close()
    }
  })
}

export function connectFor(args: Arguments, shell: Shell, timeoutMs = TIMEOUT_MS_DEFAULT): Promise<GatewayClient> {
  const [url, token] = [args.text('url'), args.text('token')]
  if (url !== undefined && !/^wss?:\/\/[^/]/.test(url)) {
    throw args.usage(
      `--url must begin with ws:// or wss:// and name a host, not "${url}". Default: ws://127.0.0.1:18789`,
    )
  }
  return shell.connect({ timeoutMs, ...(url !== undefined && { url }), ...(token !== undefined && { token }) })
}

/** Shows on a terminal's stderr that something takes long, and for how long; takes the line away at the end. */
export async function withProgress<T>(shell: Shell, what: string, run: (end: () => void) => Promise<T>): Promise<T> {
  if (!shell.stderr.isTTY) return run(() => undefined)
  const startedMs = shell.clock.monotonic()
  let shown = false
  const show = () => {
    shown = true
    shell.stderr.write(`\r\u001b[K${what}… ${Math.round((shell.clock.monotonic() - startedMs) / SECOND)}s`)
    timer = shell.clock.after(SECOND, show)
  }
  let timer = shell.clock.after(QUIET_MS_MAX, show)
  const end = () => {
    timer.cancel()
    if (shown) shell.stderr.write('\r\u001b[K')
    shown = false
  }
  return await run(end).finally(end)
}

export function writeJson(shell: Shell, value: unknown): void {
  shell.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
