// `sluice logs` shows the end of the gateway's log, and what is written to it from then on.
import { SECOND } from '../../base/durations.ts'
import { asSluiceError } from '../../base/errors.ts'
import { pause } from '../../base/pause.ts'
import type { Result } from '../../protocol/catalogue.ts'
import type { Run } from '../command.ts'
import { type Link, withGateway } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitizeLine } from '../text/sanitize.ts'

/** The most that one answer may have; who follows wants all there is. */
const LINES_MAX = 5_000
const BYTES_MAX = 1_000_000

export const logs: Run = async (args, shell) => {
  const limit = args.whole('limit', { min: 1, max: LINES_MAX }) ?? 200
  const show = args.has('json') ? (line: string) => line : readable
  let from: { cursor: number } | undefined
  let isLost = false
  const read = async ({ call, endProgress }: Link) => {
    const stopped = new AbortController()
    const unlisten = shell.onInterrupt(() => stopped.abort())
    try {
      do {
        const tail = await call('logs.tail', from ? { ...from, limit: LINES_MAX, maxBytes: BYTES_MAX } : { limit })
        endProgress()
        isLost = false
        write(shell, tail, show)
        from = { cursor: tail.cursor }
        if (args.has('follow')) await pause(shell.clock, SECOND, stopped.signal)
      } while (args.has('follow') && !stopped.signal.aborted)
      return EXIT.ok
    } finally {
      unlisten()
    }
  }
  for (;;) {
    try {
      return await withGateway(args, shell, read)
    } catch (error) {
      if (!from || asSluiceError(error).code !== 'UNAVAILABLE') throw error
      if (!isLost) shell.stderr.write('The gateway does not answer; its log goes on when it does. Ctrl-C ends this.\n')
      isLost = true
      await pause(shell.clock, SECOND)
    }
  }
}

function write(shell: Shell, { lines, truncated, reset }: Result<'logs.tail'>, show: (line: string) => string): void {
  if (reset) shell.stderr.write('The log begins anew.\n')
  if (truncated) shell.stderr.write('Older lines are left out.\n')
  shell.stdout.write(lines.map(line => `${sanitizeLine(show(line))}\n`).join(''))
}

const LEVELS: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error' }

/** A line that is none of ours is shown as it is. */
function readable(line: string): string {
  try {
    // The family's names for level and message say nothing more.
    const { time, level, msg, _meta, 0: _, ...more } = JSON.parse(line)
    const fields = Object.entries(more).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    return [time, (LEVELS[level] ?? String(level)).padEnd(5), msg, ...fields].join(' ')
  } catch {
    return line
  }
}
