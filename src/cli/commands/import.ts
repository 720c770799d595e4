// `sluice import clawdbot` shows what it would take over from another gateway, and with --yes has the running gateway take
// it over. A second run finds nothing to do. Secrets are not shown.
import { asSluiceError } from '../../base/errors.ts'
import type { Run } from '../command.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import type { ImportPlan } from '../imports.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { withIssues } from './config.ts'

type Refused = Readonly<Record<'what' | 'why', string>>

export const clawdbot: Run = async (args, shell) => {
  const plan = (await shell.imports())(args.positionals[0])
  const jobs = plan.jobs.filter(({ job }) => job !== undefined)
  const keys = plan.config.keys.filter(({ why }) => why === undefined)
  const isIdle = jobs.length === 0 && keys.length === 0
  const wanted = args.has('yes') && !isIdle
  if (!args.has('json'))
    shell.stdout.write(
      planLines(plan)
        .map(line => `${sanitizeLine(line)}\n`)
        .join(''),
    )
  const refused = wanted ? await withGateway(args, shell, ({ call }) => carryOut(plan, call, shell)) : []
  if (args.has('json')) {
    const { patch: _, ...config } = plan.config
    writeJson(shell, { sources: plan.sources, jobs: plan.jobs, config, done: wanted, refused })
  } else shell.stdout.write(`${verdict({ isIdle, wanted, refused })}\n`)
  return refused.length === 0 ? EXIT.ok : EXIT.failed
}

type Call = Parameters<Parameters<typeof withGateway>[2]>[0]['call']

async function carryOut(plan: ImportPlan, call: Call, shell: Shell): Promise<Refused[]> {
  const refused: Refused[] = []
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
      await call('config.patch', { raw, ...(exists && { baseHash: hash }), idempotencyKey: shell.random.uuid() })
    })
  }
  for (const { id, name, job } of plan.jobs) {
    if (!job) continue
    await attempt(`job "${name}"`, async () => {
      // The key makes a repeat after a crash the same job; the record does so later, when keys are gone.
      await call('cron.add', { ...job, dedupe: true, idempotencyKey: `import:clawdbot:${id}` } as never)
      plan.took(id)
    })
  }
  return refused
}

function planLines({ sources, jobs, config }: ImportPlan): string[] {
  return [
    `From ${sources.join(' and ')}:`,
    ...jobs.map(({ name, job, why }) => (job ? `  + job "${name}"` : `  - job "${name}": ${why}`)),
    ...config.keys.map(({ path, why }) => (why === undefined ? `  + config ${path}` : `  - config ${path}: ${why}`)),
  ]
}

function verdict({
  isIdle,
  wanted,
  refused,
}: {
  isIdle: boolean
  wanted: boolean
  refused: readonly Refused[]
}): string {
  if (isIdle) return 'There is nothing to take over.'
  if (!wanted) return 'Nothing was changed. To have the running gateway take over what is marked +, add: --yes'
  if (refused.length === 0) return 'Taken over.'
  return refused.map(({ what, why }) => sanitizeLine(`Not taken over: ${what}: ${why}`)).join('\n')
}
