// Real gateways that die, find damage or cannot start: they say so, in one line, and control goes on.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, expect, test, vi } from 'vitest'
import { BOUND_MS } from '../e2e/bound.ts'
import { Scope } from '../e2e/gateway-process.ts'
import { agentJob } from '../e2e/jobs.ts'
import { Gate, startScriptedModel } from '../e2e/scripted-model.ts'

const scope = new Scope()
afterEach(() => scope.end())

test('L2: after three deaths turns and jobs are held back, which is said everywhere; a restart goes on', async () => {
  const model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  const gateway = await scope.gateway({ config: { ...model.config(), messages: { queue: { mode: 'followup' } } } })
  const sessionKey = 'agent:main:deadly'
  const first = await gateway.client()
  for (const runId of ['one', 'two']) {
    await first.call('chat.send', { sessionKey, message: runId, idempotencyKey: runId })
  }
  for (let death = 1; death <= 3; death += 1) {
    const gate = new Gate()
    model.script(sessionKey, gate.hold({ text: 'never' }))
    await gate.reached
    await gateway.kill()
    await gateway.start()
    expect(gateway.output.includes('Warning'), `after death ${death}`).toBe(death === 3)
  }
  const asked = model.asks(sessionKey).length
  expect(gateway.output).toMatch(/Warning +The gateway died 3 times within 5 minutes/)
  const client = await gateway.client()
  expect((await client.call('status', {})).heldBack).toMatch(/Nothing is lost.*sluice gateway restart/)
  const job = await client.call('cron.add', { ...agentJob('due'), schedule: { kind: 'at', atMs: Date.now() } })
  expect((await gateway.cli(['status'])).stdout).toContain('died 3 times')
  expect((await client.call('cron.runs', { id: job.id })).entries).toEqual([])
  expect(model.asks(sessionKey)).toHaveLength(asked)
  model.script(sessionKey, { text: 'at last' })
  model.script(`agent:main:cron:${job.id}`, { text: 'done' })
  expect((await gateway.cli(['gateway', 'restart', '--no-wait'])).code).toBe(0)
  await gateway.restarted()
  const after = await gateway.client()
  expect((await after.call('status', {})).heldBack).toBeUndefined()
  expect(await after.call('agent.wait', { runId: 'two' })).toMatchObject({ status: 'ok' })
  await gateway.stop()
  const warned = gateway.log().filter(({ msg }) => /died 3 times/.test(String(msg)))
  expect(warned).toMatchObject([{ level: 50 }])
})

test('W7, W8: damage in a large store is found after a crash and told; control goes on, and a backup cures it', async () => {
  const gateway = await scope.gateway({})
  const file = join(gateway.stateDir, 'sluice.db')
  const backup = join(gateway.stateDir, 'good.backup')
  expect((await (await gateway.client()).call('status', {})).store).toEqual({ integrity: 'not-checked' })
  await gateway.kill()
  // Too large for the quick look at each start.
  const db = new Database(file)
  db.exec(`INSERT INTO sessions (key, agent_id, session_id, created_at_ms, updated_at_ms) VALUES ('agent:main:big', 'main', 'big', 1, 1);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
      INSERT INTO entries (session_key, session_id, kind, body, created_at_ms)
      SELECT 'agent:main:big', 'big', 'input', printf('{"kind":"input","text":"%.2000c"}', 'x'), i FROM n`)
  const page = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'entries_of_session'").pluck().get())
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
  const made = await gateway.cli(['backup', 'create', backup, '--json'])
  expect(JSON.parse(made.stdout)).toMatchObject({ file: backup, rows: { entries: 3_000 } })
  const damaged = readFileSync(file)
  damaged.fill(0x5a, (page - 1) * 4_096, page * 4_096)
  writeFileSync(file, damaged)
  await gateway.start()
  const client = await gateway.client()
  await vi.waitFor(async () => expect((await client.call('status', {})).store.integrity).toMatch(/^damaged: /), {
    timeout: BOUND_MS,
    interval: 50,
  })
  expect(await client.call('health', {})).toMatchObject({ ok: true })
  expect((await gateway.cli(['status'])).stdout).toMatch(/store +damaged: /)
  const refused = await gateway.cli(['backup', 'restore', backup, '--force'])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('Another gateway is using')])
  await gateway.stop()
  const told = () =>
    gateway.log().filter(({ msg }) => /is damaged.*sluice backup restore <file> --force/.test(String(msg)))
  expect(told()).toHaveLength(1)
  // A clean stop mends nothing: what was found is looked for again.
  await gateway.start()
  await vi.waitFor(() => expect(told()).toHaveLength(2), { timeout: BOUND_MS, interval: 50 })
  await gateway.stop()
  const restored = await gateway.cli(['backup', 'restore', backup, '--force'])
  expect([restored.code, restored.stdout]).toEqual([0, expect.stringContaining('sluice.db.replaced-')])
  await gateway.start()
  const mended = await gateway.client()
  expect((await mended.call('sessions.list', {})).sessions.map(({ key }) => key)).toContain('agent:main:big')
  await vi.waitFor(async () => expect((await mended.call('status', {})).store).toEqual({ integrity: 'ok' }), {
    timeout: BOUND_MS,
    interval: 50,
  })
  await gateway.stop()
  await gateway.start()
  expect((await (await gateway.client()).call('status', {})).store).toEqual({ integrity: 'not-checked' })
})

test('a port that is taken is no death', async () => {
  const holder = await scope.gateway({})
  const stateDir = scope.stateDir()
  for (let n = 0; n < 4; n += 1) {
    const refused = await scope.refusedStart({ stateDir, port: holder.port })
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(String(holder.port)) })
  }
  expect(JSON.parse(readFileSync(join(stateDir, 'starts.json'), 'utf8'))).toEqual({ running: null, deathsMs: [] })
})

test('what the disk refuses at start is said in one line with what to do, and nothing half-made is left', async () => {
  const expectLine = async (stateDir: string, pattern: RegExp) => {
    const ended = await scope.refusedStart({ stateDir })
    expect(ended.code, ended.stderr).toBe(1)
    expect(ended.stderr.trim().split('\n')).toEqual([expect.stringMatching(pattern)])
  }
  const inFile = join(scope.stateDir(), 'file')
  writeFileSync(inFile, '')
  await expectLine(inFile, /^Error: .*file.sluice\.json failed \(ENOTDIR.*choose another state folder/)
  // A folder in which nobody, not even root, can make anything.
  await expectLine('/sys/sluice', /^Error: \/sys\/sluice failed \((EPERM|EACCES|EROFS)/)
  for (const name of ['sluice.db', 'lock.db', 'token', 'sluice.json', 'starts.json']) {
    const stateDir = scope.stateDir()
    mkdirSync(join(stateDir, name), { recursive: true })
    await expectLine(stateDir, new RegExp(`^Error: .*${name}`))
    expect(readdirSync(join(stateDir, name))).toEqual([])
  }
  const full = scope.stateDir()
  const ended = await scope.refusedStart({ stateDir: full, fileKbMax: 4 })
  expect(ended.code, ended.stderr).toBe(1)
  expect(ended.stderr).toMatch(/^Error: .*sluice\.db failed/)
})

test('the commands of docs/guides/backup.md do what they say, and its query reads a backup', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const guide = readFileSync(join(root, 'docs/guides/backup.md'), 'utf8')
  const blocks = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block.trim())
  const [backups = '', query = '', restart] = blocks
  // What the last one does is seen above.
  expect([blocks.length, restart]).toEqual([3, './bin/sluice gateway restart'])
  const gateway = await scope.gateway({})
  const cwd = scope.stateDir()
  const elsewhere = scope.stateDir()
  for (const command of backups.split('\n')) {
    // A restore is for a folder that no gateway holds and that has no store yet.
    const stateDir = command.includes(' restore ') ? elsewhere : gateway.stateDir
    const env = { PATH: process.env.PATH, HOME: cwd, SLUICE_STATE_DIR: stateDir }
    const words = command.replace('./bin/sluice ', '').split(' ')
    const { status, stdout, stderr } = spawnSync(join(root, 'bin/sluice'), words, { cwd, env, encoding: 'utf8' })
    expect(status, `${command}\n${stderr}`).toBe(0)
    expect(stdout, command).not.toBe('')
  }
  expect(readdirSync(elsewhere)).toContain('sluice.db')
  expect(readdirSync(join(gateway.stateDir, 'backups'))).toHaveLength(1)
  const sql = /^sqlite3 (\S+) "(.*)"$/.exec(query)
  const db = new Database(join(cwd, sql?.[1] ?? ''), { readonly: true })
  const names = db.prepare(sql?.[2] ?? '').all()
  db.close()
  expect(names).toContainEqual({ name: 'format', value: expect.anything() })
})
