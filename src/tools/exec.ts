// The `exec` tool: one command on this machine, without a shell, as far as the policy and a person allow. The turn's slot
// is parked meanwhile (W5), and what the command asks of this gateway is that turn's own (W1). It never runs twice by
// itself: after a crash the model is told that the outcome is unknown.
import { resolve } from 'node:path'
import * as z from 'zod'
import { quoteWords, splitWords } from '../base/command-words.ts'
import { formatDuration, SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { Clock, Processes } from '../base/world.ts'
import { Deadline } from '../coordination/deadline.ts'
import { checkNames, childEnv, type Env, pathOf } from './exec-env.ts'
import { type Tool, type ToolContext, tool } from './tool.ts'

/** Characters of a command's output that a model is shown. */
const OUTPUT_LENGTH_MAX = 24_000
/** The same of a job's command: its answer is read, and must stay whole however it is escaped. */
const JOB_OUTPUT_LENGTH_MAX = 8_000

/** Characters of a command that a person can judge; in a chat those are some messages. */
const QUESTION_LENGTH_MAX = 16_000

export interface ExecPolicy {
  /** `deny`: no command; `allowlist`: those in `allow`, others as `ask` says; `full`: all. */
  readonly security: 'deny' | 'allowlist' | 'full'
  /** `on-miss`: a person is asked for a command that is not in `allow`; `always`: for each. */
  readonly ask: 'off' | 'on-miss' | 'always'
  /** Names of commands, as found on PATH, and absolute paths. */
  readonly allow: readonly string[]
  /** Longest that a command may run. */
  readonly timeoutMs: number
  readonly approvalTimeoutMs: number
  /** Where commands run that name no folder. */
  readonly cwd: string
}

export interface ExecOptions {
  readonly processes: Processes
  readonly clock: Clock
  /** For turns of an agent; read anew for each call. */
  readonly policy: (agentId: string) => ExecPolicy
  /** The gateway's own environment; little of it is handed on. */
  readonly env: Env
  /** The folder of our own command. */
  readonly binFolder: string
  /** By which our own command finds this gateway: SLUICE_STATE_DIR, SLUICE_CONFIG_PATH, SLUICE_GATEWAY_PORT. */
  readonly wayBack: () => Readonly<Record<string, string>>
  /** Why jobs of an agent may run no command now. */
  readonly whyNoJobCommand: (agentId: string) => string | undefined
}

const parameters = z.object({
  command: z
    .union([z.string().min(1).max(32_000), z.array(z.string().max(32_000)).min(1).max(1_000)])
    .describe(
      'A command line with quotes and backslashes, or an array of words. There is no shell: no |, ;, &, <, >, $.',
    ),
  workdir: z.string().min(1).optional(),
  env: z.record(z.string(), z.string()).optional(),
  timeout: z.number().positive().max(86_400).optional().describe('Seconds.'),
})
type ExecArgs = z.output<typeof parameters>

/** What would run. */
interface Wanted {
  readonly argv: readonly string[]
  readonly executable: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** What a person is shown of a variable of ours. */
const OWN_VALUE = '(of the gateway)'

const jobParameters = z.object({
  argv: z.array(z.string()).min(1),
  cwd: z.string().optional(),
  timeoutSeconds: z.number().optional(),
  env: z.array(z.string()).optional(),
})

/** Runs a job's command, as the job says it; no model has it. Beside the exec policy it needs one for jobs. */
export function commandTool(options: ExecOptions): Tool {
  return tool({
    name: 'command',
    description: "Runs a job's command.",
    parameters: jobParameters,
    replay: 'never',
    run: async ({ argv, cwd, timeoutSeconds, env = [] }, context) => {
      const why = options.whyNoJobCommand(context.agentId)
      if (why !== undefined) throw refused(why)
      const policy = options.policy(context.agentId)
      const handedOn = ownVariables(env, options.env)
      const wanted = await look({ command: argv, ...(cwd !== undefined && { workdir: cwd }) }, policy, options)
      const shown = Object.fromEntries(env.map(name => [name, OWN_VALUE]))
      await permit({ ...wanted, env: shown }, policy, { options, context })
      const limits = { timeout: timeoutSeconds, outputLengthMax: JOB_OUTPUT_LENGTH_MAX }
      return await context.outside(() => run({ ...wanted, env: handedOn }, limits, { options, policy, context }))
    },
  })
}

/** Their values are for the process alone: no journal, no question and no answer has them. */
function ownVariables(names: readonly string[], env: Env): Record<string, string> {
  const values = Object.fromEntries(names.map(name => [name, env[name] ?? '']))
  checkNames(values)
  const missing = names.find(name => env[name] === undefined)
  if (missing === undefined) return values
  const message = `Nothing was run: the gateway has no variable ${missing} in its environment (payload.env). Set it where the gateway is started, or leave it out.`
  throw new SluiceError('NOT_FOUND', message, { outcome: 'not-started' })
}

export function execTool(options: ExecOptions): Tool {
  return tool({
    name: 'exec',
    description:
      'Run one command on this machine and wait for its end; its output is stdout and stderr. A person may be asked first. `sluice` is on PATH and calls this gateway as this turn.',
    parameters,
    replay: 'never',
    run: async (args, context) => {
      const policy = options.policy(context.agentId)
      const wanted = await look(args, policy, options)
      await permit(wanted, policy, { options, context })
      return await context.outside(() => run(wanted, args, { options, policy, context }))
    },
  })
}

async function look(args: ExecArgs, policy: ExecPolicy, options: ExecOptions): Promise<Wanted> {
  const argv = typeof args.command === 'string' ? splitWords(args.command) : args.command
  const env = args.env ?? {}
  checkNames(env)
  const cwd = resolve(policy.cwd, args.workdir ?? '.')
  const [name = ''] = argv
  const executable = await options.processes.find(name, { path: pathOf(options.env, options.binFolder), cwd })
  if (executable !== undefined) return { argv, executable, cwd, env }
  const message = `Nothing was run: there is no command ${quoteWords([name])} on this machine's PATH.`
  throw new SluiceError('NOT_FOUND', message, { outcome: 'not-started' })
}

interface Around {
  readonly options: ExecOptions
  readonly context: ToolContext
}

/** Returns when the command may run, after asking a person where the policy says so. */
async function permit(wanted: Wanted, policy: ExecPolicy, { options, context }: Around): Promise<void> {
  const isListed =
    policy.security === 'full' || (policy.security === 'allowlist' && (await isAllowed(wanted, policy, options)))
  if (isListed && policy.ask !== 'always') return
  const { argv, executable, cwd, env } = wanted
  const line = quoteWords(argv)
  if (policy.security === 'deny' || (!isListed && policy.ask === 'off')) {
    throw refused(`the policy of this gateway does not allow ${quoteWords([executable])} (tools.exec.allow)`)
  }
  const settings = Object.entries(env).map(([name, value]) => `${name}=${quoteWords([value])} `)
  const text = `${settings.join('')}${line} (in ${quoteWords([cwd])})`
  if (text.length > QUESTION_LENGTH_MAX) {
    throw refused(
      `a person has to say yes, and cannot judge more than ${QUESTION_LENGTH_MAX} characters: make it shorter`,
    )
  }
  const answer = await context.approve({
    text,
    request: { command: line, argv, cwd, resolvedPath: executable, ...(settings.length > 0 && { env }) },
    timeoutMs: policy.approvalTimeoutMs,
  })
  if (answer.allowed) return
  const said = answer.note === undefined ? '' : ` and wrote: ${answer.note}`
  const expired = `nobody said yes within ${formatDuration(policy.approvalTimeoutMs)}`
  throw refused(answer.why === 'expired' ? expired : `the person said no${said}`)
}

/** A name in the list is the file that it means on PATH; that a file elsewhere has the same name does not count. */
async function isAllowed({ executable, cwd }: Wanted, { allow }: ExecPolicy, options: ExecOptions): Promise<boolean> {
  const path = pathOf(options.env, options.binFolder)
  for (const entry of allow) {
    const isPath = entry.includes('/')
    if (isPath ? entry === executable : (await options.processes.find(entry, { path, cwd })) === executable) return true
  }
  return false
}

function refused(why: string): SluiceError {
  return new SluiceError('FORBIDDEN', `Nothing was run: ${why}.`, { outcome: 'not-started' })
}

interface RunLimits {
  /** Seconds. */
  readonly timeout?: number | undefined
  readonly outputLengthMax?: number
}

async function run(wanted: Wanted, args: RunLimits, around: Around & { policy: ExecPolicy }): Promise<unknown> {
  const { options, policy, context } = around
  const timeoutMs = Math.min(policy.timeoutMs, args.timeout === undefined ? policy.timeoutMs : args.timeout * SECOND)
  const deadline = new Deadline(options.clock, timeoutMs, { what: 'The command', outer: context.signal })
  const startedMs = options.clock.monotonic()
  try {
    const { exitCode, signal, output } = await options.processes.run({
      executable: wanted.executable,
      args: wanted.argv.slice(1),
      cwd: wanted.cwd,
      env: childEnv(options.env, {
        ...wanted.env,
        PATH: pathOf(options.env, options.binFolder),
        ...options.wayBack(),
        SLUICE_CAUSE: context.cause(),
      }),
      outputLengthMax: args.outputLengthMax ?? OUTPUT_LENGTH_MAX,
      signal: deadline.signal,
    })
    const durationMs = Math.round(options.clock.monotonic() - startedMs)
    return { exitCode, ...(signal && { signal }), output, durationMs, ...(deadline.expired && { timedOut: true }) }
  } finally {
    deadline.end()
  }
}
