// `sluice logs` shows the end of the gateway's log, and what is written to it from then on.
import { SECOND } from '../../base/durations.ts'
import { pause } from '../../base/pause.ts'
import type { Result } from '../../protocol/catalogue.ts'
import type { Run } from '../command.ts'
import { withGateway } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitizeLine } from '../text/sanitize.ts'

/** The most that one answer may have; who follows wants all there is. */
const LINES_MAX = 5_000
const BYTES_MAX = 1_000_000

export const logs: Run = async (args, shell) => {
  const limit = args.whole('limit', { min: 1, max: LINES_MAX }) ?? 200
  const show = args.has('json') ? (line: string) => line : readable
  return await withGateway(args, shell, async ({ call }) => {
    const stopped = new AbortController()
    const unlisten = shell.onInterrupt(() => stopped.abort())
    try {
      let tail = await call('logs.tail', { limit })
      write(shell, tail, show)
      while (args.has('follow') && !stopped.signal.aborted) {
        await pause(shell.clock, SECOND, stopped.signal).catch(() => undefined)
        if (stopped.signal.aborted) break
        tail = await call('logs.tail', { cursor: tail.cursor, limit: LINES_MAX, maxBytes: BYTES_MAX })
        write(shell, tail, show)
      }
      return EXIT.ok
    } finally {
      unlisten()
    }
  })
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
