// Real gateways on a store of which a part is damaged: they start where they can, say what is wrong and what to do, and
// control and all that needs none of the damaged part goes on.
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { type GatewayProcess, Scope } from '../e2e/gateway-process.ts'
import { agentJob } from '../e2e/jobs.ts'

const scope = new Scope()
afterEach(() => scope.end())

const PAGE = 4_096

function overwrite(gateway: GatewayProcess, name: string): void {
  const file = join(gateway.stateDir, 'sluice.db')
  const db = new Database(file)
  db.pragma('wal_checkpoint(TRUNCATE)')
  const page = Number(db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name))
  db.close()
  writeFileSync(file, readFileSync(file).fill(0x5a, (page - 1) * PAGE, page * PAGE))
}

test('W7: damage in a table or an index of a small store is told everywhere; control and chats go on', async () => {
  const gateway = await scope.gateway({})
  const made = (await gateway.client()).call('cron.add', agentJob('kept'))
  expect((await made).enabled).toBe(true)
  await gateway.stop()
  for (const part of ['jobs_due', 'jobs']) {
    overwrite(gateway, part)
    await gateway.start()
    const client = await gateway.client()
    const health = await client.call('health', {})
    expect(health, part).toMatchObject({ ok: true, store: { integrity: expect.stringMatching(/^damaged: /) } })
    const listed = await client.call('cron.list', {}).then(
      ({ jobs }) => jobs.map(({ name }) => name),
      (error: Error) => error.message,
    )
    expect(listed, part).toEqual(part === 'jobs' ? expect.stringMatching(/damaged.*sluice backup restore/) : ['kept'])
    const runId = `chat-${part}`
    await client.call('chat.send', { sessionKey: 'main', message: 'help', idempotencyKey: runId })
    expect(await client.call('agent.wait', { runId })).toMatchObject({ status: 'ok' })
    const status = await client.call('status', {})
    expect(status.store, part).toMatchObject({ failing: expect.stringMatching(/damaged.*sluice backup restore/) })
    const cli = await gateway.cli(['health'])
    expect([cli.code, cli.stdout]).toEqual([0, expect.stringMatching(/ answers \(.*\nstore +damaged/s)])
    await gateway.stop()
  }
  expect(gateway.log().filter(({ msg }) => /is damaged.*sluice backup restore/.test(String(msg)))).toHaveLength(2)
})

test('W7: where sessions cannot be read, health and status still answer, and the page says why it does not', async () => {
  const gateway = await scope.gateway({})
  const first = await gateway.client()
  await first.call('chat.send', { sessionKey: 'main', message: 'help', idempotencyKey: 'before' })
  await first.call('agent.wait', { runId: 'before' })
  await gateway.stop()
  overwrite(gateway, 'sessions')
  await gateway.start()
  const client = await gateway.client()
  expect(await client.call('health', {})).toMatchObject({ ok: true, sessions: { recent: [] } })
  expect((await client.call('status', {})).store).toMatchObject({
    integrity: expect.stringMatching(/^damaged: /),
    failing: expect.stringMatching(/damaged.*sluice backup restore/),
  })
  const page = await fetch(`http://127.0.0.1:${gateway.port}/`)
  expect([page.status, await page.text()]).toEqual([503, expect.stringMatching(/damaged.*sluice backup restore/)])
  expect((await client.call('cron.add', agentJob('new'))).enabled).toBe(true)
  await expect(
    client.call('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'after' }),
  ).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringMatching(/damaged.*sluice backup restore/) })
})

test('L1: a store that was emptied stops the start and says what to do; a new one, and one that was taken away, do not', async () => {
  const gateway = await scope.gateway({})
  await gateway.stop()
  const file = join(gateway.stateDir, 'sluice.db')
  writeFileSync(file, '')
  await expect(gateway.start()).rejects.toThrow(
    /sluice\.db is empty, though a gateway ran on it.*sluice backup restore/s,
  )
  expect(statSync(file).size).toBe(0)
  rmSync(file)
  await gateway.start()
  await gateway.stop()
  writeFileSync(file, '')
  rmSync(join(gateway.stateDir, 'starts.json'))
  await gateway.start()
})
