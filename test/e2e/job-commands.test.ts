// Jobs that run commands, by the real command line, a real gateway and real processes: what a command is given and what is
// kept of it; a power loss while it runs; and the examples of the guide.
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { splitWords } from '../../src/base/command-words.ts'
import { within } from './bound.ts'
import { Scope } from './gateway-process.ts'

const scope = new Scope()
afterEach(() => scope.end())

const config = { cron: { commands: 'operator' }, tools: { exec: { security: 'full', ask: 'off' } } }
const GUIDE = readFileSync(new URL('../../docs/guides/schedules.md', import.meta.url), 'utf8')

test('a command has what it is given and reaches the gateway as its job; an exit code says no, and how it failed', async () => {
  const gateway = await scope.gateway({ config, env: { GIVEN: 'shown', KEPT: 'secret' } })
  const client = await gateway.client()
  const add = async (name: string, argv: string[], more: object = {}) => {
    const payload = { kind: 'command', argv, env: ['GIVEN'] } as const
    const schedule = { kind: 'every', everyMs: 86_400_000 } as const
    const { id } = await client.call('cron.add', { name, schedule, payload, ...more } as never)
    return { id, ran: await client.call('cron.run', { id, mode: 'force', wait: true }) }
  }
  const row = async (id: string) => (await client.call('cron.runs', { id })).entries.at(-1)
  const shows = await add('shows', ['node', '-p', '[process.env.GIVEN, process.env.KEPT].join()'])
  expect(await row(shows.id)).toMatchObject({ state: 'ok', exitCode: 0, summary: 'shown,\n' })
  const fails = await add('fails', ['node', '-e', 'console.error("no disk"); process.exit(7)'])
  expect(fails.ran).toMatchObject({ status: 'failed', error: 'its command ended with exit code 7: no disk' })
  expect(await row(fails.id)).toMatchObject({ state: 'failed', exitCode: 7, summary: 'no disk\n' })
  const asks = await add('asks', ['node', '-v'], { when: { argv: ['node', '-e', 'process.exit(1)'] } })
  expect(await row(asks.id)).toMatchObject({ state: 'skipped', exitCode: 1 })
  // By its cause it is a turn: what only an operator may, it may not.
  const line = ['sluice', 'cron', 'add', '--name', 'more', '--every', '1h', '--command', 'true']
  const makes = await add('makes', line)
  expect(makes.ran).toMatchObject({ status: 'failed', error: expect.stringContaining('cron.commands') })
})

test('T1/L3: a power loss while a command runs: unknown, with its row, and it is not run again', async () => {
  const arrived: Socket[] = []
  const first = Promise.withResolvers<void>()
  const server = createServer(socket => {
    arrived.push(socket.on('error', () => undefined))
    first.resolve()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  // The processes that a killed gateway leaves behind end with their connection.
  scope.onEnd(() => {
    for (const socket of arrived) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const gateway = await scope.gateway({ config })
  const before = await gateway.client()
  const argv = ['node', '-e', `require('net').connect(${port}, '127.0.0.1')`]
  const schedule = { kind: 'every', everyMs: 86_400_000 } as const
  const job = { name: 'once', schedule, payload: { kind: 'command', argv } }
  const { id } = await before.call('cron.add', job as never)
  const after = { name: 'alarm', schedule: { kind: 'after', job: id, on: 'failed' } }
  const alarm = await before.call('cron.add', { ...after, payload: { kind: 'message', text: 'look!' } } as never)
  await before.call('cron.run', { id, mode: 'force' })
  await within(first.promise, 'the process')
  await gateway.kill()
  await gateway.start()
  const client = await gateway.client()
  // The job of the next run is refused while the one before goes on, so that one has ended here.
  const { entries } = await client.call('cron.runs', { id })
  if (entries.length === 0) await client.events.notice('look!')
  expect((await client.call('cron.runs', { id })).entries).toMatchObject([{ state: 'unknown' }])
  const fired = (await client.call('cron.runs', { id: alarm.id })).entries
  if (fired.length === 0) await client.events.notice('look!')
  expect((await client.call('cron.runs', { id: alarm.id })).entries).toMatchObject([{ state: 'ok' }])
  expect(arrived).toHaveLength(1)
})

test('each example of the guide that makes such a job makes one, and says it in words', async () => {
  const gateway = await scope.gateway({ config })
  const lines = GUIDE.split('\n').filter(line => /^sluice cron add .*--(command|when-command|after) /.test(line))
  expect(lines.length).toBeGreaterThan(4)
  const told: string[] = []
  for (const line of lines) {
    const { code, stdout, stderr } = await gateway.cli(splitWords(line).slice(1))
    expect([line, code, stderr]).toEqual([line, 0, ''])
    told.push(stdout)
  }
  expect(told.join('\n')).toContain('runs: df -h /')
  expect(told.join('\n')).toContain('this ends with exit code 0: test -s /var/mail/me')
  expect(told.join('\n')).toContain('after job "backup" failed')
  const list = await gateway.cli(['cron', 'list'])
  expect(list.stdout).toMatch(/report .*after /)
  const removed = await gateway.cli(['cron', 'rm', 'backup'])
  expect(removed.stdout).toContain('switched off: report, alarm')
})
