// `sluice doctor` says what is wrong around a gateway, whether or not one runs, and mends what can be mended without losing
// anything. Its exit code says whether a problem is left.
import { asSluiceError } from '../../base/errors.ts'
import type { Result } from '../../protocol/catalogue.ts'
import type { Run } from '../command.ts'
import type { Finding } from '../findings.ts'
import { connectFor, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitizeLine } from '../text/sanitize.ts'

const OFFLINE = 'sluice/offline'

export const doctor: Run = async (args, shell) => {
  const running = await answered(args, shell)
  const isRunning = running !== undefined
  const { model, zoneFrom } = running ?? {}
  const examine = await shell.doctor()
  const found = await examine({ isRunning, zoneFrom, fix: args.has('fix') })
  // A gateway that runs may have a key in an environment of its own.
  const findings = model !== undefined ? found.filter(({ code }) => code !== 'NO_MODEL' || model === OFFLINE) : found
  const problems = findings.filter(({ kind, fix }) => kind === 'problem' && fix !== 'done')
  if (args.has('json')) writeJson(shell, { ok: problems.length === 0, gateway: isRunning, findings })
  else shell.stdout.write(findings.length === 0 ? 'All is well.\n' : findings.map(block).join(''))
  if (!args.has('json') && !args.has('fix') && findings.some(({ fix }) => fix === 'possible')) {
    shell.stdout.write('\nWhat is marked can be mended with: sluice doctor --fix\n')
  }
  return problems.length === 0 ? EXIT.ok : EXIT.failed
}

function block({ code, kind, message, advice, fix }: Finding): string {
  const mark = fix === 'possible' ? ' *' : ''
  const next = fix === 'done' ? 'mended' : advice
  return `${kind} ${code}${mark}: ${sanitizeLine(message)}\n  ${sanitizeLine(next)}\n`
}

/** What the gateway there says of itself; undefined: none is there, empty: it does not let us in. */
async function answered(args: Parameters<Run>[0], shell: Shell): Promise<Partial<Result<'status'>> | undefined> {
  try {
    const client = await connectFor(args, shell)
    return await client.call('status', {}).finally(() => client.close())
  } catch (error) {
    const { code } = asSluiceError(error)
    return code === 'UNAUTHORIZED' || code === 'FORBIDDEN' ? {} : undefined
  }
}
