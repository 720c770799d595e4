// The README, followed to the letter on a new machine: an empty folder with what git would hold, the first command, a
// chat from another folder in a real terminal, and a reminder that arrives. Then its other commands, as they stand there.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { chooseModel } from '../../src/providers/choice.ts'
import { freePort } from '../e2e/free-port.ts'
import { Terminal } from './terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
// bound: an install on a slow disk and network.
const INSTALL_MS_MAX = 300_000

/** The commands of the README's n-th block of a language. */
function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    match => match[1]?.trim() ?? '',
  )
}

describe('a fresh clone', () => {
  let scratch: string
  let clone: string
  let env: Record<string, string>
  let gateway: Terminal
  const terminals: Terminal[] = []

  function terminal(command: readonly [string, ...string[]], cwd: string): Terminal {
    const made = new Terminal(command, { cwd, env })
    terminals.push(made)
    return made
  }

  beforeAll(async () => {
    scratch = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-clone-')))
    clone = join(scratch, 'clone')
    const held = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
    for (const path of held.split('\0').filter(Boolean)) {
      mkdirSync(dirname(join(clone, path)), { recursive: true })
      cpSync(join(ROOT, path), join(clone, path))
    }
    // The machine's own PATH: nothing of this project's node_modules, and nothing that npm told its scripts.
    const path = (process.env.PATH ?? '').split(':').filter(part => !part.includes('node_modules'))
    const told = /^(npm_|INIT_CWD|NODE|VITEST|SLUICE_)/
    const inherited = Object.entries(process.env).filter(([name]) => !told.test(name) || name === 'npm_config_registry')
    env = {
      ...(Object.fromEntries(inherited) as Record<string, string>),
      PATH: path.join(':'),
      HOME: scratch,
      ...(process.env.HOME && {
        npm_config_userconfig: join(process.env.HOME, '.npmrc'),
        npm_config_cache: join(process.env.HOME, '.npm'),
      }),
      npm_config_prefer_offline: 'true',
      SLUICE_GATEWAY_PORT: String(await freePort()),
    }
    const [first] = blocks('sh')
    gateway = terminal(['/bin/sh', '-c', first ?? ''], clone)
    await gateway.see(/To chat, in a second terminal:\s+(\S.*) chat/, { boundMs: INSTALL_MS_MAX })
  }, INSTALL_MS_MAX)

  afterAll(() => {
    for (const one of terminals) one.kill()
    rmSync(scratch, { recursive: true, force: true })
  })

  test('says in plain words where it is, where its state is, which zone and which model', async () => {
    expect(gateway.text).toMatch(/listening on ws:\/\/127\.0\.0\.1:\d+/)
    expect(gateway.text).toContain(`State      ${scratch}/.sluice`)
    expect(gateway.text).toMatch(/Time zone {2}\S+/)
    expect(gateway.text).toContain('the built-in offline model answers')
    const mode = (path: string) => (statSync(join(scratch, '.sluice', path)).mode & 0o777).toString(8)
    expect([mode('.'), mode('token'), mode('sluice.db')]).toEqual(['700', '600', '600'])
  })

  test('a chat from another folder: the reminder is made in the turn and arrives', async () => {
    const [, launcher = ''] = await gateway.see(/To chat, in a second terminal:\s+(\S.*) chat/)
    const chat = terminal([launcher, 'chat'], scratch)
    await chat.see(/sluice\/offline/)
    const from = chat.text.length
    chat.type('remind me in 2 seconds to stretch\r')
    await chat.see(/cron add/, { from })
    await chat.see(/Done: I will say “stretch”/, { from })
    await chat.see(/⏰ \d\d:\d\d stretch/, { from })
    chat.type('\u0004')
    expect(await chat.ended).toBe(0)
  })

  test('the README’s other commands do what they say', () => {
    const commands = blocks('sh')
      .flatMap(block => block.split('\n'))
      .filter(line => line.startsWith('./bin/sluice') && !line.endsWith(' chat'))
    expect(commands.length).toBeGreaterThanOrEqual(6)
    for (const command of commands) {
      const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: clone, env, encoding: 'utf8' })
      expect(status, `${command}\n${stderr}`).toBe(0)
      expect(stdout, command).not.toBe('')
    }
  })

  test('Ctrl-C stops it cleanly', async () => {
    gateway.type('\u0003')
    expect(await gateway.ended).toBe(0)
    expect(gateway.text).toContain('Stopping…')
  })
})

describe('the README', () => {
  test('its configs are such that start, with the model and the tools that it names', () => {
    const places = locate({}, '/nowhere')
    const settingsOf = (config: string) =>
      loadSettings({
        files: {
          readText: path => (path === places.configPath ? config : undefined),
          writePrivateText: () => undefined,
          ensurePrivateFolder: () => undefined,
        },
        env: { MY_KEY: 'k' },
        places,
        portOverride: undefined,
        systemZone: 'UTC',
        isMethod: () => true,
      })
    const settings = blocks('json5').map(settingsOf)
    expect(settings.map(({ warnings }) => warnings)).toEqual([[], []])
    const [first, second] = settings
    expect(chooseModel(first?.models as never)).toMatchObject({ kind: 'openai-completions', ref: 'local/llama3.3' })
    expect(second).toMatchObject({ exec: { security: 'allowlist', allow: ['git', 'sluice'] }, webFetch: true })
    expect([first?.exec.security, first?.webFetch]).toEqual(['deny', false])
  })

  test('its links lead somewhere, and its environment variables are those that are read', () => {
    for (const [, link = ''] of README.matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect(() => statSync(join(ROOT, link)), link).not.toThrow()
    const read = execFileSync('git', ['grep', '-ohE', 'SLUICE_[A-Z_]+', '--', 'src/config', 'src/main.ts'], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    const named = new Set(README.match(/SLUICE_[A-Z_]+/g))
    expect(named).toEqual(new Set(read.trim().split('\n')))
  })
})
