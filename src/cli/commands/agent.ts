// `sluice agent`: one message to an agent. On a terminal the reply is shown as it comes; into a pipe only the final text
// goes. Ctrl-C stops the run itself, not just the wait for it.

import { SECOND } from '../../base/durations.ts'
import { asSluiceError, SluiceError } from '../../base/errors.ts'
import type { GatewayClient, GatewayEvent } from '../../client/client.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { connectFor, withProgress, writeJson } from '../gateway-link.ts'
import { replyTexts } from '../replies.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitize } from '../text/sanitize.ts'
import { wantedSession } from '../wanted-session.ts'

const WORK_SECONDS_DEFAULT = 600
/** The gateway bounds the work; we wait a little longer, to hear of it. */
const GRACE_SECONDS = 30

export const agent: Run = async (args, shell) => {
  const message = args.required('message')
  const workSeconds = args.whole('timeout', { min: 0, max: 86_400 })
  const params = {
    message,
    idempotencyKey: shell.random.uuid(),
    ...optional('sessionKey', args.text('session')),
    ...optional('agentId', args.text('agent')),
    ...optional('thinking', args.text('thinking')),
    ...optional('channel', args.text('channel')),
    ...optional('replyTo', args.text('to')),
    ...optional('timeout', workSeconds),
    ...(args.has('deliver') && { deliver: true }),
  }
  const client = await withProgress(shell, 'waiting for the gateway', () => connectFor(args, shell))
  const stream = new ReplyStream(args, shell)
  const stopListening = client.onEvent(event => stream.hear(event))
  const stopper = stopOnInterrupt(client, { shell, sessionKey: wantedSession(args), runId: params.idempotencyKey })
  try {
    const timeoutMs = ((workSeconds || WORK_SECONDS_DEFAULT) + GRACE_SECONDS) * SECOND
    const final = await client.call('agent', params, {
      timeoutMs,
      onEarly: early => stream.follow(String(early.runId)),
    })
    stream.end()
    if (args.has('json')) writeJson(shell, final)
    if (final.status === 'error') throw new SluiceError('UNAVAILABLE', final.summary ?? 'The run failed.')
    if (!args.has('json')) stream.writeFinal(replyTexts(final.result))
    if (final.warning !== undefined) shell.stderr.write(`${sanitize(final.warning)}\n`)
    return stopper.stopped() ? EXIT.interrupted : EXIT.ok
  } catch (error) {
    stream.end()
    if (stopper.stopped()) throw new SluiceError('CANCELLED', 'Stopped.', { cause: asSluiceError(error) })
    throw error
  } finally {
    stopper.done()
    stopListening()
    client.close()
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
}

interface Stoppable {
  readonly shell: Shell
  readonly sessionKey: string | undefined
  readonly runId: string
}

/** The first Ctrl-C stops the run; a second one leaves without waiting for its end. */
function stopOnInterrupt(client: GatewayClient, { shell, sessionKey, runId }: Stoppable) {
  let stopped = false
  const done = shell.onInterrupt(() => {
    if (stopped) return client.close()
    stopped = true
    const key = sessionKey ?? client.hello.snapshot.sessionDefaults.mainSessionKey
    client.call('chat.abort', { sessionKey: key, runId }, { timeoutMs: 5 * SECOND }).catch(() => client.close())
  })
  return { done, stopped: () => stopped }
}

/** Writes the run's text to a terminal while it is made. */
class ReplyStream {
  readonly #shell: Shell
  readonly #shows: boolean
  #runId: string | undefined
  #message = ''
  #wrote = false
  #open = false

  constructor(args: Arguments, shell: Shell) {
    this.#shell = shell
    this.#shows = shell.stdout.isTTY && !args.has('json')
  }

  follow(runId: string): void {
    this.#runId = runId
  }

  hear({ event, payload }: GatewayEvent): void {
    if (!this.#shows || event !== 'agent' || payload.runId !== this.#runId || payload.stream !== 'assistant') return
    const { text } = payload.data as { text?: unknown }
    if (typeof text !== 'string') return
    // The text is cumulative per message; another message begins anew.
    const continues = text.startsWith(this.#message)
    if (!continues) this.end()
    const added = continues ? text.slice(this.#message.length) : text
    this.#message = text
    if (added === '') return
    this.#wrote = true
    this.#open = true
    this.#shell.stdout.write(sanitize(added))
  }

  /** Ends the line that is open. */
  end(): void {
    if (this.#open) this.#shell.stdout.write('\n')
    this.#open = false
  }

  writeFinal(texts: readonly string[]): void {
    if (this.#wrote) return
    this.#shell.stdout.write(
      texts.length > 0 ? texts.map(text => `${sanitize(text)}\n`).join('') : 'No reply from agent.\n',
    )
  }
}
