// `sluice service install`: it writes once, never over what somebody changed, and says what comes next.
import { expect, test } from 'vitest'
import type { Service } from '../../src/cli/services.ts'
import { run, testShell } from './test-shell.ts'

function shellWith(present: string | undefined) {
  const written: string[] = []
  const service: Service = {
    ...{ unit: 'sluice.service', path: '/u/sluice.service', text: '[Unit]\n', present, envPath: '/s/service.env' },
    write: () => void written.push('written'),
  }
  const shell = testShell('ws://127.0.0.1:1')
  shell.services = async () => () => service
  return { shell, written }
}

test('it is written, and the commands that begin it are told', async () => {
  const { shell, written } = shellWith(undefined)
  expect(await run(shell, 'service', 'install')).toBe(0)
  expect(written).toHaveLength(1)
  expect(shell.out).toContain('systemctl --user enable --now sluice.service')
})

test('what is there already is left, and what says something else is replaced only when asked', async () => {
  const same = shellWith('[Unit]\n')
  expect(await run(same.shell, 'service', 'install')).toBe(0)
  expect(same.written).toHaveLength(0)
  const other = shellWith('[Unit]\nmine\n')
  expect(await run(other.shell, 'service', 'install')).toBe(1)
  expect(other.written).toHaveLength(0)
  expect(await run(other.shell, 'service', 'install', '--replace')).toBe(0)
  expect(other.written).toHaveLength(1)
})

test('--print shows it and writes nothing; --json says all', async () => {
  const { shell, written } = shellWith(undefined)
  expect(await run(shell, 'service', 'install', '--print')).toBe(0)
  expect(shell.out).toBe('[Unit]\n')
  expect(written).toHaveLength(0)
  const json = shellWith(undefined)
  await run(json.shell, 'service', 'install', '--json')
  expect(JSON.parse(json.shell.out)).toMatchObject({ unit: 'sluice.service', written: true })
  const both = shellWith(undefined)
  await run(both.shell, 'service', 'install', '--print', '--json')
  expect(JSON.parse(both.shell.out)).toMatchObject({ unit: 'sluice.service', text: '[Unit]\n' })
  expect(both.written).toHaveLength(0)
})
