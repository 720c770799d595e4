// `sluice gateway` runs one, `gateway restart` has one begin anew, `gateway call` asks one anything, in the family's own
// words. A restart is done when the next epoch answers; that the old one agreed to it is not taken for that.
import { formatDuration, MINUTE, parseDuration, SECOND } from '../../base/durations.ts'
import { asSluiceError, SluiceError } from '../../base/errors.ts'
import { pause } from '../../base/pause.ts'
import { CLOSE } from '../../protocol/limits.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { connectFor, withGateway, withProgress, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitize } from '../text/sanitize.ts'

/** How long a restart may take before we stop waiting for it. */
const RESTART_MS_MAX = 2 * MINUTE
const ASK_AGAIN_MS = SECOND / 2
const ASK_MS_MAX = 5 * SECOND

export const run: Run = (args, shell) => shell.runGateway(args.whole('port', { min: 0, max: 65_535 }))

export const call: Run = async (args, shell) => {
  const [method] = args.positionals
  if (!method) throw args.usage('Which method?')
  const written = args.text('params') ?? '{}'
  let params: unknown
  try {
    params = JSON.parse(written)
  } catch (error) {
    throw args.usage(`--params is not JSON: ${(error as Error).message}`)
  }
  const result = await withGateway(args, shell, ({ client, options }) => {
    // Without onEarly a run is answered by its acceptance, as the family's CLI does it.
    return client.callUntyped(method, params, options)
  })
  if (!args.has('json')) shell.stdout.write(`Gateway call: ${sanitize(method)}\n`)
  writeJson(shell, result)
  return EXIT.ok
}

export const restart: Run = async (args, shell) => {
  const delay = args.text('delay')
  const delayMs = delay === undefined ? undefined : parseDuration(delay)
  if (delay !== undefined && delayMs === undefined)
    throw args.usage(`--delay needs a duration with its unit, such as 5s or 1m, not "${delay}".`)
  const params = {
    ...(args.has('reason') && { reason: args.required('reason') }),
    ...(delayMs !== undefined && { delayMs }),
    idempotencyKey: shell.random.uuid(),
  }
  const waits = !args.has('no-wait')
  const { before, answer } = await withGateway(args, shell, async ({ call }) => {
    const before = (await call('status', {})).epoch
    const answer = await call('gateway.restart', params).catch((error: unknown) => {
      // One that begins at once may cut off its own answer; what it was is then said by the next epoch alone.
      if (waits && isCutOff(error)) return { ok: true as const, restartAtMs: shell.clock.now(), delayMs: 0 }
      throw error
    })
    return { before, answer }
  })
  const epoch = !waits
    ? undefined
    : await withProgress(shell, 'the gateway restarts', () => epochAfter(before, answer.delayMs, { args, shell }))
  if (args.has('json')) writeJson(shell, { ...answer, ...(epoch !== undefined && { epoch }) })
  else if (epoch === undefined) shell.stdout.write(`The gateway restarts in ${formatDuration(answer.delayMs)}.\n`)
  else shell.stdout.write(`The gateway has restarted and answers (epoch ${epoch}).\n`)
  return EXIT.ok
}

function isCutOff(error: unknown): boolean {
  return asSluiceError(error).details?.closeCode === CLOSE.serviceRestart
}

interface Asking {
  readonly args: Arguments
  readonly shell: Shell
}

/** Asks again and again, over a connection of its own each time, until another epoch than `before` answers. */
async function epochAfter(before: number, delayMs: number, asking: Asking): Promise<number> {
  const { clock } = asking.shell
  const untilMs = clock.monotonic() + delayMs + RESTART_MS_MAX
  let last = 'It still is the old one.'
  for (let waitMs = delayMs; clock.monotonic() < untilMs; waitMs = ASK_AGAIN_MS) {
    await pause(clock, waitMs)
    try {
      const epoch = await epochNow(asking)
      if (epoch !== before) return epoch
    } catch (error) {
      last = asSluiceError(error).message
    }
  }
  const message = `The gateway was told to restart, but no new one answered within ${formatDuration(RESTART_MS_MAX)}. ${last} Its log says more.`
  throw new SluiceError('TIMEOUT', message, { outcome: 'unknown' })
}

async function epochNow({ args, shell }: Asking): Promise<number> {
  const client = await connectFor(args, shell, ASK_MS_MAX)
  try {
    return (await client.call('status', {}, { timeoutMs: ASK_MS_MAX })).epoch
  } finally {
    client.close()
  }
}
