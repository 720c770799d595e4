// The commands of the guide on running, by the launcher itself, in a home of its own.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'sluice-service-'))
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('each gateway gets a unit with its own places', () => {
  const guide = readFileSync(join(ROOT, 'docs/guides/running.md'), 'utf8')
  const commands = [...guide.matchAll(/^.*sluice service install.*$/gm)].map(([line]) => line)
  expect(commands).toHaveLength(2)
  const env = { PATH: `${join(ROOT, 'bin')}:${process.env.PATH}`, HOME: home }
  for (const command of commands) {
    const said = execFileSync('/bin/sh', ['-c', command], { env, encoding: 'utf8' })
    expect(said).toContain('systemctl --user enable --now sluice')
  }
  const unit = (name: string) => join(home, '.config/systemd/user', name)
  expect(readFileSync(unit('sluice.service'), 'utf8')).toContain(`SLUICE_STATE_DIR=${home}/.sluice"`)
  const second = readFileSync(unit('sluice-two.service'), 'utf8')
  expect(second).toContain(`SLUICE_STATE_DIR=${home}/.sluice-two"`)
  expect(second).toContain('SLUICE_GATEWAY_PORT=18790"')
  expect(second).toContain(`ExecStart="${join(ROOT, 'bin/sluice')}" gateway`)
  expect((statSync(unit('sluice.service')).mode & 0o777).toString(8)).toBe('600')
})
