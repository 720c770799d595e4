// Jobs that these tests use, and one whose turn is held at the model.
import type { CronEvent } from '../../src/protocol/events.ts'
import type { Job } from '../../src/protocol/job.ts'
import type { TestClient } from './gateway-process.ts'
import { Gate, type ScriptedModel, type Step } from './scripted-model.ts'

const HOUR_MS = 3_600_000

/** A job whose turn is due in an hour and every hour after. */
export function agentJob(name: string) {
  return {
    name,
    schedule: { kind: 'every', everyMs: HOUR_MS },
    payload: { kind: 'agentTurn', message: 'do it' },
    sessionTarget: 'isolated',
    wakeMode: 'now',
    enabled: true,
  } as const
}

export function jobSession(job: Pick<Job, 'id'>): string {
  return `agent:main:cron:${job.id}`
}

export interface HeldJob {
  readonly job: Job
  /** Holds the job's turn at its model request. */
  readonly gate: Gate
  readonly ended: () => Promise<CronEvent>
}

/** A job that has fallen due and whose turn is held until its gate is opened; it then does `then`. */
export async function heldJob(
  { client, model }: { client: TestClient; model: ScriptedModel },
  name: string,
  then: readonly Step[] = [{ text: 'done' }],
): Promise<HeldJob> {
  const job = await client.call('cron.add', { ...agentJob(name), schedule: { kind: 'at', atMs: Date.now() } })
  const gate = new Gate()
  const [first, ...others] = then
  model.script(jobSession(job), gate.hold(first as Step), ...others)
  await gate.reached
  return { job, gate, ended: () => client.events.cron(job.id, 'finished') }
}
