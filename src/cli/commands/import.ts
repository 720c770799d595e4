// `sluice import clawdbot` shows what it would take over from another gateway, and with --yes has the running gateway take
// it over. A second run finds nothing to do. Secrets are not shown.
import { asSluiceError } from '../../base/errors.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import type { ImportPlan } from '../imports.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { withIssues } from './config.ts'

type Told = Readonly<Record<'what' | 'why', string>>

interface Made {
  readonly refused: readonly Told[]
  /** What was taken over and will not work as things are. */
  readonly warnings: readonly Told[]
}
const NOTHING: Made = { refused: [], warnings: [] }

export const clawdbot: Run = async (args, shell) => {
  const plan = (await shell.imports())(args.positionals[0])
  const jobs = plan.jobs.filter(({ job }) => job !== undefined)
  const keys = plan.config.keys.filter(({ why }) => why === undefined)
  const isIdle = jobs.length === 0 && keys.length === 0
  const wanted = args.has('yes') && !isIdle
  const lines = planLines(plan).map(line => `${sanitizeLine(line)}\n`)
  if (!args.has('json')) shell.stdout.write(lines.join(''))
  const made = wanted ? await withGateway(args, shell, ({ call }) => carryOut(plan, call, shell)) : NOTHING
  const { refused } = made
  if (args.has('json')) {
    const { patch: _, ...config } = plan.config
    writeJson(shell, { sources: plan.sources, jobs: plan.jobs, config, done: wanted, ...made })
  } else shell.stdout.write(`${verdict({ isIdle, wanted, ...made })}\n`)
  return refused.length === 0 ? EXIT.ok : EXIT.failed
}

type Call = Parameters<Parameters<typeof withGateway>[2]>[0]['call']

async function carryOut(plan: ImportPlan, call: Call, shell: Shell): Promise<Made> {
  const refused: Told[] = []
  const warned: Told[] = []
  const attempt = async (what: string, run: () => Promise<unknown>) => {
    try {
      await run()
    } catch (error) {
      const failure = withIssues(asSluiceError(error))
      // Whoever is not there answers nothing more.
      if (failure.code === 'UNAVAILABLE') throw error
      refused.push({ what, why: failure.message })
    }
  }
  if (Object.keys(plan.config.patch).length > 0) {
    await attempt('the config', async () => {
      const { exists, hash } = await call('config.get', {})
      const raw = JSON.stringify(plan.config.patch)
      const wanted = { raw, ...(exists && { baseHash: hash }), idempotencyKey: shell.random.uuid() }
      const { restart } = await call('config.patch', wanted)
      if (restart) warned.push({ what: 'the config', why: 'the gateway restarts by itself now to take up all of it' })
    })
  }
  for (const { id, name, job } of plan.jobs) {
    if (!job) continue
    await attempt(`job "${name}"`, async () => {
      // The key makes a repeat after a crash the same job; the record does so later, when keys are gone.
      const key = `import:clawdbot:${id}`
      const { warnings = [] } = await call('cron.add', { ...job, dedupe: true, idempotencyKey: key } as never)
      plan.took(id)
      warned.push(...warnings.map(why => ({ what: `job "${name}"`, why })))
    })
  }
  return { refused, warnings: warned }
}

function planLines({ sources, jobs, config }: ImportPlan): string[] {
  return [
    `From ${sources.join(' and ')}:`,
    ...jobs.map(({ name, job, why }) => (job ? `  + job "${name}"` : `  - job "${name}": ${why}`)),
    ...config.keys.map(({ path, why }) => (why === undefined ? `  + config ${path}` : `  - config ${path}: ${why}`)),
  ]
}

function verdict({ isIdle, wanted, refused, warnings }: Made & Record<'isIdle' | 'wanted', boolean>): string {
  if (isIdle) return 'There is nothing to take over.'
  if (!wanted) return 'Nothing was changed. To have the running gateway take over what is marked +, add: --yes'
  return [
    ...warnings.map(({ what, why }) => `Warning: ${what}: ${why}`),
    ...refused.map(({ what, why }) => `Not taken over: ${what}: ${why}`),
    ...(refused.length === 0 ? ['Taken over.'] : []),
  ]
    .map(sanitizeLine)
    .join('\n')
}
