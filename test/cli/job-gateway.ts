// A gateway with one job, for commands that look at jobs and change them.
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { run, testShell } from './test-shell.ts'

export const NOW = Date.UTC(2026, 10, 22, 12, 0)
export const ID = '0fe0ab11-1111-4111-8111-111111111111'
export const job = (more: object = {}) => ({
  id: ID,
  name: 'my-job',
  enabled: true,
  createdAtMs: 1,
  updatedAtMs: 1,
  schedule: { kind: 'cron', expr: '0 */6 * * *' },
  sessionTarget: 'isolated',
  wakeMode: 'now',
  payload: { kind: 'agentTurn', message: 'hi' },
  state: { nextRunAtMs: NOW + 300_000 },
  ...more,
})

export async function jobGateway(): Promise<FakeGateway> {
  const gateway = await fakeGateway()
  gateway.answers('cron.status', { enabled: true, storePath: '/s', jobs: 1, nextWakeAtMs: null, zone: 'Europe/Berlin' })
  gateway.answers('cron.list', { jobs: [job()], total: 1 })
  gateway.answers('cron.next', { times: [1, 2, 3].map(n => NOW + n * 21_600_000), zone: 'Europe/Berlin' })
  gateway.on('cron.add', ({ asked, answer }) => answer(job({ ...asked.params, id: ID })))
  gateway.on('cron.update', ({ asked, answer }) => answer(job({ ...asked.params.patch, payload: job().payload })))
  return gateway
}

export async function runOn({ url }: FakeGateway, args: readonly string[]) {
  const shell = testShell(url, { nowMs: NOW })
  const code = await run(shell, ...args)
  return { code, out: shell.out, err: shell.err, shell }
}
