// A config that changes while a real gateway runs: by hand and by the command line, right and wrong, with a restart and
// without; and the command line alone, where no gateway runs.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Scope } from './gateway-process.ts'

const scope = new Scope()
afterEach(() => scope.end())

const FILE = `// mine
{
  cron: { enabled: true }, // jobs
  gateway: { auth: { token: 'a token of my own, 123' } },
}
`

test('W7: a file edited by hand holds at once; a broken one is told and changes nothing', async () => {
  const gateway = await scope.gateway({ config: FILE })
  const path = join(gateway.stateDir, 'sluice.json')
  const { call, events } = await gateway.client({ token: 'a token of my own, 123' })
  // As editors do it: another file, put in its place.
  writeFileSync(`${path}.new`, FILE.replace('enabled: true', 'enabled: false'))
  renameSync(`${path}.new`, path)
  const { payload } = await events.until('the change', ({ event }) => event === 'config')
  expect(payload).toMatchObject({ ok: true, applied: ['cron.enabled'], restartNeeded: [] })
  expect(await call('cron.status', {})).toMatchObject({ enabled: false })

  writeFileSync(path, FILE.replace('true }', '"yes" }'))
  await events.until('the refusal', ({ event, payload }) => event === 'config' && !payload.ok)
  expect(await call('cron.status', {})).toMatchObject({ enabled: false })
  const wrong = { valid: false, issues: [{ path: 'cron.enabled', message: expect.stringMatching(/"yes"/) }] }
  expect((await call('status', {})).config).toMatchObject(wrong)
  expect((await call('health', {})).config).toMatchObject(wrong)
  expect((await gateway.cli(['status'])).stdout).toMatch(/config +\S+ is wrong, so the settings from before hold: cron/)
  await gateway.stop()
  expect(gateway.log()).toContainEqual(
    expect.objectContaining({ msg: 'the config is wrong, so the settings from before hold', path }),
  )
})

test('the command line changes a running gateway, keeps comments, and is refused with path, value and what is allowed', async () => {
  const gateway = await scope.gateway({ config: FILE })
  const path = join(gateway.stateDir, 'sluice.json')
  const sluice = (...args: string[]) => gateway.cli(['config', ...args])
  expect((await sluice('set', 'cron.enabled', 'false')).stdout).toBe(
    `Set cron.enabled in ${path}.\nIt holds from now on: cron.enabled.\n`,
  )
  expect(readFileSync(path, 'utf8')).toBe(FILE.replace('enabled: true', 'enabled: false'))
  const refused = await sluice('set', 'cron.enabled', 'perhaps')
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(/Nothing was changed: cron\.enabled: .*expected boolean.*\(it is "perhaps"\)/)
  expect(readFileSync(path, 'utf8')).toBe(FILE.replace('enabled: true', 'enabled: false'))
  // The test's gateway was given its port as a flag.
  expect((await sluice('set', 'gateway.port', '4000')).stdout).toContain('--port wins over gateway.port')
  const shown = await sluice('get')
  expect(shown.stdout).not.toContain('a token of my own')
  expect(JSON.parse(shown.stdout)).toMatchObject({ gateway: { port: 4_000, auth: { token: '__redacted__' } } })
  expect((await sluice('unset', 'gateway.port')).stdout).toMatch(/^Took away gateway\.port/)
  expect(readFileSync(path, 'utf8')).toBe(FILE.replace('enabled: true', 'enabled: false'))
})

test('the commands of the guide do what it says', async () => {
  const gateway = await scope.gateway({})
  const guide = readFileSync(new URL('../../docs/guides/configuration.md', import.meta.url), 'utf8')
  const block = /```sh\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''
  const commands = block
    .split('\n')
    .flatMap(line => (line === '' ? [] : [line.replace('./bin/sluice ', '').split(' ')]))
  expect(commands.length).toBeGreaterThan(3)
  for (const command of commands)
    expect(await gateway.cli(command), command.join(' ')).toMatchObject({ code: 0, stderr: '' })
  // The guide's example of secrets, as it stands there.
  const example = /```json5\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''
  const token = join(gateway.stateDir, 'secret')
  writeFileSync(token, 'the text of a file, as a token\n')
  const file = join(gateway.stateDir, 'example.json5')
  writeFileSync(file, example.replace('/run/secrets/sluice-token', token))
  expect((await gateway.cli(['config', 'validate', file])).stdout).toMatch(/names \$\{MODEL_KEY\}, which is not set/)
  expect(await gateway.cli(['config', 'validate', file], { env: { MODEL_KEY: 'k' } })).toMatchObject({ code: 0 })
})

test('without a gateway the file itself is changed, and judged as a start would judge it', async () => {
  const gateway = await scope.gateway({ config: FILE })
  await gateway.stop()
  const path = join(gateway.stateDir, 'sluice.json')
  const sluice = (...args: string[]) => gateway.cli(['config', ...args])
  expect((await sluice('path')).stdout).toBe(`${path}\n`)
  expect((await sluice('set', 'agents.defaults.userTimezone', 'Asia/Tokyo')).stdout).toBe(
    `Set agents.defaults.userTimezone in ${path}.\nNo gateway is running: the next one starts with it.\n`,
  )
  expect((await sluice('get', 'agents.defaults.userTimezone')).stdout).toBe('Asia/Tokyo\n')
  expect(await sluice('set', 'agents.defaults.userTimezone', 'Mars/Base')).toMatchObject({ code: 1 })
  expect(await sluice('set', 'agents.defaults.model.fallbacks', '["nobody/m"]')).toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('agents.defaults.model.fallbacks.0: unknown model: nobody/m') },
  })
  expect(readFileSync(path, 'utf8')).toContain('cron: { enabled: true }, // jobs')
  expect((await sluice('validate')).stdout).toBe(`${path} is right.\n`)
  expect((await sluice('validate', join(gateway.stateDir, 'none'))).code).toBe(1)
  expect(JSON.parse((await sluice('schema')).stdout)).toMatchObject({ type: 'object' })
  // A process of a turn has the file in reach, and is told to go through the gateway.
  const turn = await gateway.cli(['config', 'set', 'tools.exec.security', 'full'], { env: { SLUICE_CAUSE: 'x' } })
  expect(turn).toMatchObject({ code: 1, stderr: expect.stringMatching(/through its gateway only/) })
  // Nor may it put all that there is into a file that its reply could send.
  const backup = join(gateway.stateDir, 'workspace', 'all.backup')
  const args = ['backup', 'create', '--with-secrets', backup]
  expect(await gateway.cli(args, { env: { SLUICE_CAUSE: 'x' } })).toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('A turn may not make, read or restore backups') },
  })
  expect(existsSync(backup)).toBe(false)
  expect((await gateway.cli(args)).code).toBe(0)
})
