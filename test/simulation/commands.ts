// The processes of a simulated machine: every command is there but one, takes virtual time, and ends at its signal. Each
// is counted under its turn and call in what survives crashes, and judged as it begins: was it allowed, is it the first
// time. A process of `sluice wait` asks the gateway as the turn that started it.
import type { Database } from 'better-sqlite3'
import { SluiceError } from '../../src/base/errors.ts'
import type { Command, CommandEnd, Processes } from '../../src/base/world.ts'
import type { House } from '../../src/house.ts'
import { LISTED } from './allowance.ts'
import { Prng } from './prng.ts'
import type { Scenario } from './scenario.ts'
import type { CommandRun, Sightings, TurnCall } from './sightings.ts'
import type { BootClock } from './virtual-time.ts'

/** The gateway on whose machine the commands run. */
interface Gateway {
  readonly number: number
  readonly dead: boolean
  readonly clock: BootClock
  readonly reader: Database
  readonly house: House
}

interface CommandParts {
  readonly scenario: Scenario
  readonly seen: Sightings
  readonly boot: () => Gateway
}

interface ApprovalRecord {
  readonly id: string
  readonly asked_in: string
  readonly state: string
  readonly what_hash: string
  readonly created_at_ms: number
}

const APPROVAL = 'SELECT id, asked_in, state, what_hash, created_at_ms FROM approvals WHERE run_id = ? AND call_id = ?'
const SAME = 'SELECT 1 FROM approvals WHERE id = ? AND what_hash = ?'
const SAME_IN = 'SELECT 1 FROM approvals WHERE asked_in = ? AND what_hash = ? AND created_at_ms <= ?'
const DURATION_MS_MAX = 90_000

const never = new Promise<never>(() => undefined)

export function commandsOf(parts: CommandParts): Processes {
  return {
    find: async name => (name === 'missing' ? undefined : `/usr/bin/${name}`),
    run: command => {
      if (parts.boot().dead) return never
      command.signal.throwIfAborted()
      return runCommand(parts, command)
    },
  }
}

async function runCommand(parts: CommandParts, command: Command): Promise<CommandEnd> {
  const { seen, boot, scenario } = parts
  const at = boot()
  const startedMs = at.clock.now()
  const line = [command.executable.replace('/usr/bin/', ''), ...command.args].join(' ')
  const run: CommandRun = { boot: at.number, ...causeOf(command), line, startedMs }
  judge(parts, run)
  seen.commands.push(run)
  seen.counts.commands += 1
  seen.trace(`command ${run.runId} ${run.callId} ${line}`)
  const { promise, resolve } = Promise.withResolvers<CommandEnd>()
  const end = (exitCode: number | null, signal: string | null) => {
    if (at.dead || run.endedMs !== undefined) return
    run.endedMs = at.clock.now()
    seen.trace(`command ended ${run.runId} ${run.callId} ${exitCode ?? signal}`)
    resolve({ exitCode, signal, output: line, cut: 0 })
  }
  const random = new Prng(`command ${scenario.seed} ${run.runId} ${run.callId}`)
  if (line.startsWith('sluice wait')) void askAsTurn(parts, command, run).finally(() => end(0, null))
  else at.clock.after(random.span(5, DURATION_MS_MAX), () => end(random.chance(0.9) ? 0 : 1, null))
  command.signal.addEventListener('abort', () => end(null, 'SIGTERM'), { once: true })
  return await promise
}

/** Whose process it is, as its cause says. */
function causeOf({ env }: Command): { runId: string; callId: string } {
  const said = Buffer.from(env.SLUICE_CAUSE?.split('.')[0] ?? '', 'base64url').toString()
  const [, , callId = '', runId = ''] = said.split('\n')
  return { runId, callId }
}

/** Begun once, by a turn that runs, after a yes that is on disk and that somebody did say. */
function judge({ seen, boot, scenario }: CommandParts, run: CommandRun): void {
  const { reader } = boot()
  const what = `${run.line} of ${run.runId} ${run.callId}`
  if (seen.commands.some(other => other.runId === run.runId && other.callId === run.callId))
    seen.violate('command-once', `${what} is run a second time`)
  const state = reader.prepare('SELECT state FROM runs WHERE run_id = ?').pluck().get(run.runId)
  if (state !== 'running') seen.violate('command-allowed', `${what} begins, and its turn is ${state}`)
  const isListed = LISTED.includes(run.line.split(' ')[0] as string)
  if (isListed && scenario.allowance.commands?.ask === 'on-miss') return
  const approval = reader.prepare(APPROVAL).get(run.runId, run.callId) as ApprovalRecord | undefined
  if (approval?.state !== 'used')
    seen.violate('command-allowed', `${what} begins, and the question is ${approval?.state ?? 'not asked'} on disk`)
  else if (!wasAllowed(seen, boot(), approval))
    seen.violate('command-allowed', `${what} begins, and nobody said yes to ${approval.id}`)
}

function wasAllowed({ yeses }: Sightings, { reader }: Gateway, approval: ApprovalRecord): boolean {
  const { id, asked_in, what_hash, created_at_ms } = approval
  return yeses.some(yes => {
    const isMeant = yes.id === id || (yes.id === undefined && yes.sessionKey === asked_in && yes.atMs >= created_at_ms)
    if (isMeant) return true
    if (!yes.always) return false
    if (yes.id !== undefined) return reader.prepare(SAME).get(yes.id, what_hash) !== undefined
    return reader.prepare(SAME_IN).get(yes.sessionKey, what_hash, yes.atMs) !== undefined
  })
}

/** The process waits for a run by the gateway, in the name of its turn, until it is ended. */
async function askAsTurn({ seen, boot }: CommandParts, command: Command, run: CommandRun): Promise<void> {
  const at = boot()
  const caller = at.house.reach.callerOf(command.env.SLUICE_CAUSE ?? '')
  if (!caller) {
    seen.violate('cause', `the cause of ${run.runId} ${run.callId} is nobody's while its call is under way`)
    return
  }
  const [, runId, timeoutMs] = command.args
  const { runId: of, callId: id } = run
  const attempt = seen.attempts.findLast(one => one.boot === at.number && one.runId === of)
  const params = { runId, timeoutMs: Number(timeoutMs) }
  const call: TurnCall = {
    ...{ boot: at.number, attempt: attempt as TurnCall['attempt'], runId: of, sessionKey: attempt?.sessionKey ?? '' },
    ...{ id: `${id}.process`, name: 'sim_wait', args: params, startedMs: at.clock.now() },
  }
  seen.turnCalls.push(call)
  await at.house.dispatcher.call('agent.wait', params, { caller, signal: command.signal }).then(
    answer => seen.trace(`told a process of ${of} ${JSON.stringify(answer)}`),
    error => {
      seen.trace(`refused a process of ${of} ${error}`)
      if (!(error instanceof SluiceError) || error.code === 'INTERNAL') seen.violate('refusal', `${of}: ${error}`)
    },
  )
  call.endedMs = at.clock.now()
}
