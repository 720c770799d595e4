// What a turn may run and what it then runs: the policy as a table, the person's say, and real processes (this Node) for
// what a child is given. The processes of the other tests are a list of what was asked of them.
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../../src/base/node/processes.ts'
import { nodeClock, nodeWorld } from '../../src/base/node/world.ts'
import type { Command, Processes } from '../../src/base/world.ts'
import { commandTool, type ExecOptions, type ExecPolicy, execTool } from '../../src/tools/exec.ts'
import type { ApprovalAnswer, ApprovalAsk, ToolContext } from '../../src/tools/tool.ts'
import { Toolbox } from '../../src/tools/toolbox.ts'
import { within } from '../e2e/bound.ts'
import { FakeClock } from '../fakes/clock.ts'

const POLICY: ExecPolicy = {
  security: 'full',
  ask: 'off',
  allow: [],
  timeoutMs: 60_000,
  approvalTimeoutMs: 5_000,
  cwd: '/work-place',
}
/** A machine with these files on its PATH and beside it. */
const FILES = ['/usr/bin/git', '/usr/bin/rm', '/opt/own/sluice', '/work-place/git', '/opt/tool']
const ENV = {
  PATH: '/usr/bin',
  HOME: '/house',
  LANG: 'de_DE.UTF-8',
  LC_TIME: 'C',
  TZ: 'Europe/Berlin',
  USER: 'you',
  TERM: 'xterm',
  SLUICE_GATEWAY_TOKEN: 'secret-token',
  OPENAI_API_KEY: 'secret-key',
  LD_PRELOAD: '/x.so',
  UNSET: undefined,
}
const WAY_BACK = { SLUICE_STATE_DIR: '/state', SLUICE_CONFIG_PATH: '/state/sluice.json', SLUICE_GATEWAY_PORT: '4711' }

interface Setting {
  readonly policy?: Partial<ExecPolicy>
  readonly answer?: ApprovalAnswer
  readonly processes?: Processes
  readonly clock?: ExecOptions['clock']
}

function machine({ policy, answer = { allowed: true }, processes, clock = new FakeClock() }: Setting = {}) {
  const ran: Command[] = []
  const asked: ApprovalAsk[] = []
  const abort = new AbortController()
  let outside = 0
  const find: Processes['find'] = async (name, { path, cwd }) => {
    const places = name.includes('/')
      ? [name.startsWith('/') ? name : `${cwd}/${name.replace('./', '')}`]
      : path.split(':').map(at => `${at}/${name}`)
    return places.find(place => FILES.includes(place))
  }
  const run: Processes['run'] = async command => {
    expect(outside, 'a command runs while the slot is parked').toBe(1)
    ran.push(command)
    return { exitCode: 0, signal: null, output: 'done', cut: 0 }
  }
  const options: ExecOptions = {
    processes: processes ?? { find, run },
    clock,
    policy: () => ({ ...POLICY, ...policy }),
    env: ENV,
    binFolder: '/opt/own',
    wayBack: () => WAY_BACK,
    whyNoJobCommand: () => undefined,
  }
  const context = {
    signal: abort.signal,
    cause: () => 'the-cause',
    outside: async <T>(wait: () => Promise<T>): Promise<T> => {
      outside += 1
      return await wait().finally(() => {
        outside -= 1
      })
    },
    approve: async (ask: ApprovalAsk) => {
      expect(outside, 'a person is asked before').toBe(0)
      asked.push(ask)
      return answer
    },
  } as ToolContext
  const box = new Toolbox([execTool(options)], { allow: undefined, deny: [] })
  const ofJobs = box.and(commandTool(options))
  const call = async (args: object, name = 'exec') => {
    const { text, isError } = await ofJobs.run({ name, args }, context)
    return { ...JSON.parse(text), isError }
  }
  return { call, ran, asked, abort, box }
}

describe("a job's command", () => {
  test('is handed variables of ours by name; no question and no answer has their values', async () => {
    const { call, ran, asked } = machine({ policy: { ask: 'always' } })
    const argv = ['git', 'push', '--all']
    const told = await call({ argv, env: ['OPENAI_API_KEY'] }, 'command')
    expect(ran).toMatchObject([{ args: ['push', '--all'], env: { OPENAI_API_KEY: 'secret-key' } }])
    expect(ran[0]?.env).not.toHaveProperty('SLUICE_GATEWAY_TOKEN')
    expect(JSON.stringify([told, asked])).not.toContain('secret')
    expect(asked).toMatchObject([{ request: { env: { OPENAI_API_KEY: '(of the gateway)' } } }])
  })

  test.each(['LD_PRELOAD', 'SLUICE_GATEWAY_TOKEN', 'UNSET', 'NOT_THERE'])('is not run with %s', async name => {
    const { call, ran } = machine()
    expect(await call({ argv: ['git'], env: [name] }, 'command')).toMatchObject({ outcome: 'not-started' })
    expect(ran).toEqual([])
  })

  test('its answer is whole JSON whatever it wrote: control characters are escaped to six', async () => {
    const output = '\u0001'.repeat(8_000)
    const run = async () => ({ exitCode: 0, signal: null, output, cut: 0 })
    const find = async () => '/usr/bin/git'
    const { call } = machine({ processes: { find, run } })
    expect(await call({ argv: ['git'] }, 'command')).toMatchObject({ output })
  })
})

describe('the policy', () => {
  const listed = { security: 'allowlist', allow: ['git', '/opt/tool'] } as const
  test.each<[Partial<ExecPolicy>, string | string[], string]>([
    [{ security: 'deny' }, 'git', 'refused'],
    [{ security: 'deny', ask: 'always', allow: ['git'] }, 'git', 'refused'],
    [{ ...listed, ask: 'off' }, 'git status', 'runs'],
    [{ ...listed, ask: 'off' }, '/usr/bin/git', 'runs'],
    [{ ...listed, ask: 'off' }, '/opt/tool', 'runs'],
    [{ ...listed, ask: 'off' }, 'rm x', 'refused'],
    [{ ...listed, ask: 'off' }, './git', 'refused'],
    [{ ...listed, ask: 'off' }, '/work-place/git', 'refused'],
    [{ ...listed, ask: 'off' }, ['sh -c', 'x'], 'refused'],
    [{ ...listed, ask: 'on-miss' }, 'git', 'runs'],
    [{ ...listed, ask: 'on-miss' }, 'rm x', 'asked, then runs'],
    [{ ...listed, ask: 'on-miss' }, './git', 'asked, then runs'],
    [{ ...listed, ask: 'always' }, 'git', 'asked, then runs'],
    [{ security: 'allowlist', ask: 'off', allow: ['sluice'] }, 'sluice cron list', 'runs'],
    [{ security: 'full', ask: 'off' }, 'rm x', 'runs'],
    [{ security: 'full', ask: 'on-miss' }, 'rm x', 'runs'],
    [{ security: 'full', ask: 'always' }, 'git', 'asked, then runs'],
  ])('%j: %j is %s', async (policy, command, end) => {
    const { call, ran, asked } = machine({ policy })
    const { isError } = await call({ command })
    expect([asked.length, ran.length, isError]).toEqual(
      { refused: [0, 0, true], runs: [0, 1, false], 'asked, then runs': [1, 1, false] }[end],
    )
  })

  test('what is refused without asking is named, and so is the key that would allow it', async () => {
    const { call } = machine({ policy: { ...listed, ask: 'off' } })
    expect(await call({ command: 'rm x' })).toMatchObject({
      code: 'FORBIDDEN',
      outcome: 'not-started',
      error: 'Nothing was run: the policy of this gateway does not allow /usr/bin/rm (tools.exec.allow).',
    })
  })

  test('it is read anew for each call', async () => {
    const policy = { security: 'full' } as { security: ExecPolicy['security'] }
    const { call, ran } = machine({ policy })
    await call({ command: 'git' })
    policy.security = 'deny'
    await call({ command: 'git' })
    expect(ran).toHaveLength(1)
  })
})

describe('the person', () => {
  const ask = { security: 'allowlist', ask: 'on-miss' } as const

  test('is shown the exact words, the folder and what is set, as a line and as data', async () => {
    const { call, asked } = machine({ policy: ask })
    await call({ command: ['git', 'commit', '-m', "it's\u202e"], workdir: 'sub dir', env: { GIT_AUTHOR_NAME: 'A B' } })
    expect(asked).toEqual([
      {
        text: "GIT_AUTHOR_NAME='A B' git commit -m $'it\\'s\\u{202e}' (in '/work-place/sub dir')",
        request: {
          command: "git commit -m $'it\\'s\\u{202e}'",
          argv: ['git', 'commit', '-m', "it's\u202e"],
          cwd: '/work-place/sub dir',
          resolvedPath: '/usr/bin/git',
          env: { GIT_AUTHOR_NAME: 'A B' },
        },
        timeoutMs: 5_000,
      },
    ])
  })

  test('is not asked what nobody can read to its end', async () => {
    const { call, ran, asked } = machine({ policy: ask })
    const words = (count: number) => ['rm', ...Array(count).fill('a'.repeat(999))]
    expect(await call({ command: words(16) })).toMatchObject({
      ...{ code: 'FORBIDDEN', outcome: 'not-started', error: expect.stringContaining('16000 characters') },
    })
    expect([ran, asked]).toEqual([[], []])
    await call({ command: words(15) })
    expect(asked).toHaveLength(1)
  })

  test.each<[ApprovalAnswer, string]>([
    [{ allowed: false, why: 'denied' }, 'Nothing was run: the person said no.'],
    [{ allowed: false, why: 'denied', note: 'use ls' }, 'Nothing was run: the person said no and wrote: use ls.'],
    [{ allowed: false, why: 'expired' }, 'Nothing was run: nobody said yes within 5s.'],
  ])('who does not say yes has it not run: %j', async (answer, error) => {
    const { call, ran } = machine({ policy: ask, answer })
    expect(await call({ command: 'rm x' })).toMatchObject({ error, code: 'FORBIDDEN', outcome: 'not-started' })
    expect(ran).toEqual([])
  })
})

describe('what is refused before anybody is asked', () => {
  test.each<[object, string]>([
    [{ command: 'git | rm' }, '"|" is for a shell'],
    [{ command: 'no-such-command x' }, 'there is no command no-such-command'],
    [{ command: '   ' }, "there is no command ''"],
    [{ command: [''] }, "there is no command ''"],
    [{ command: [] }, 'invalid arguments'],
    [{ command: '' }, 'invalid arguments'],
    [{ command: 'git', timeout: 0 }, 'invalid arguments'],
  ])('%j', async (args, error) => {
    const { call, ran, asked } = machine({ policy: { ask: 'always' } })
    expect(await call(args)).toMatchObject({ isError: true, error: expect.stringContaining(error) })
    expect([ran, asked]).toEqual([[], []])
  })

  test.each([
    'SLUICE_CAUSE',
    'SLUICE_STATE_DIR',
    'SLUICE_GATEWAY_TOKEN',
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'DYLD_INSERT_LIBRARIES',
    'NODE_OPTIONS',
    'NODE_PATH',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'PERL5LIB',
    'PERL5OPT',
    'RUBYOPT',
    'JAVA_TOOL_OPTIONS',
    '_JAVA_OPTIONS',
    'BASH_ENV',
    'ENV',
    'IFS',
    'PATH',
    'HOME',
    'GIT_SSH_COMMAND',
    'GIT_EXTERNAL_DIFF',
    'PAGER',
    '',
    'A=B',
    'A B',
    '1A',
  ])('the name %j may not be set', async name => {
    const { call, ran } = machine()
    expect(await call({ command: 'git', env: { [name]: 'x' } })).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(ran).toEqual([])
  })
})

describe('what runs', () => {
  test('the file that the name means, with its words, in its folder', async () => {
    const { call, ran } = machine()
    expect(await call({ command: 'git log "a b"', workdir: '/elsewhere' })).toEqual({
      exitCode: 0,
      output: 'done',
      durationMs: 0,
      isError: false,
    })
    expect(ran).toMatchObject([{ executable: '/usr/bin/git', args: ['log', 'a b'], cwd: '/elsewhere' }])
  })

  test('W1: its environment is what programs need, the way back and the cause; no token, no key, nothing else', async () => {
    const { call, ran } = machine()
    await call({ command: 'git', env: { CI: '1', TZ: 'UTC' } })
    expect(ran[0]?.env).toEqual({
      PATH: '/usr/bin:/opt/own',
      HOME: '/house',
      LANG: 'de_DE.UTF-8',
      LC_TIME: 'C',
      TZ: 'UTC',
      USER: 'you',
      TERM: 'dumb',
      CI: '1',
      ...WAY_BACK,
      SLUICE_CAUSE: 'the-cause',
    })
  })

  test('W1: whatever is set, the cause and the way back are ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.stringMatching(/^[A-Z_]{1,6}(CAUSE|PORT|PATH)?$/), fc.string()), async env => {
        const { call, ran } = machine()
        await call({ command: 'git', env })
        if (ran[0])
          expect(ran[0].env).toMatchObject({ ...WAY_BACK, SLUICE_CAUSE: 'the-cause', PATH: '/usr/bin:/opt/own' })
      }),
    )
  })

  test('after a crash it is not run again', () => {
    expect(machine().box.replayOf('exec')).toBe('never')
  })
})

describe('real processes', () => {
  const { processes } = nodeWorld
  const real = (setting: Setting = {}) =>
    machine({ processes, clock: nodeClock, ...setting, policy: { cwd: tmpdir(), ...setting.policy } })
  const node = (script: string) => [process.execPath, '-e', script]

  /** Says when a process has been started. */
  const startOf = () => {
    const { promise: started, resolve } = Promise.withResolvers<void>()
    const run: Processes['run'] = command => {
      const end = runCommand(command, nodeClock)
      resolve()
      return end
    }
    return { started, run }
  }

  test('W1: the cause is in the environment and never among the words; no token is anywhere', async () => {
    const script = 'for (const of of [[process.argv, process.execArgv], process.env]) console.log(JSON.stringify(of))'
    const { output } = await real().call({ command: node(script) })
    const [words, env] = (output as string).trim().split('\n')
    expect(words).not.toContain('the-cause')
    expect(JSON.parse(env as string)).toMatchObject({ SLUICE_CAUSE: 'the-cause' })
    expect(output).not.toContain('secret')
  })

  test('a failure of the command is a result', async () => {
    const result = await real().call({ command: node("console.error('no'); process.exit(3)") })
    expect(result).toMatchObject({ exitCode: 3, output: 'no\n', isError: false })
    expect(Object.keys(result)).toEqual(['exitCode', 'output', 'durationMs', 'isError'])
  })

  test.each([
    ['its own', { timeout: 2 }, 60_000],
    ['the policy, whatever is asked for', { timeout: 3_600 }, 2_000],
    ['the policy', {}, 2_000],
  ])('W6: it ends at the time-out of %s, and says so', async (_, args, timeoutMs) => {
    const clock = new FakeClock()
    const { started, run } = startOf()
    const { call } = real({ clock, processes: { ...processes, run }, policy: { timeoutMs } })
    const result = call({ command: node('setInterval(() => {}, 1e6)'), ...args })
    await within(started, 'the start of the command')
    await clock.advance(2_000)
    expect(await within(result, 'the end of the command')).toMatchObject({
      exitCode: null,
      signal: 'SIGTERM',
      timedOut: true,
      durationMs: 2_000,
      isError: false,
    })
  })

  test('W6: it ends with its turn, which is no time-out', async () => {
    const { started, run } = startOf()
    const { call, abort } = real({ processes: { ...processes, run } })
    const result = call({ command: node('setInterval(() => {}, 1e6)') })
    await within(started, 'the start of the command')
    abort.abort()
    const { durationMs, ...end } = await within(result, 'the end of the command')
    expect(end).toEqual({ exitCode: null, signal: 'SIGTERM', output: '', isError: false })
    expect(durationMs).toBeTypeOf('number')
  })

  test('a folder that is not there is said', async () => {
    const result = await real().call({ command: node(''), workdir: '/nowhere/at-all' })
    expect(result).toMatchObject({
      code: 'NOT_FOUND',
      outcome: 'not-started',
      error: expect.stringContaining('/nowhere/at-all'),
    })
  })

  test('our own command is found, after all others', async () => {
    const bin = dirname(process.execPath)
    expect(await processes.find('node', { path: `/nowhere:${bin}`, cwd: '/' })).toBe(`${bin}/node`)
  })
})
