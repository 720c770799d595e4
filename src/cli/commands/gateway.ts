// `sluice gateway` runs one; `sluice gateway call` asks one anything, in the family's own words.
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT } from '../shell.ts'
import { sanitize } from '../text/sanitize.ts'

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
