import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/catalogue.ts'
import type { FakeGateway } from './fake-gateway.ts'
import { ID, job, jobGateway, NOW, runOn } from './job-gateway.ts'
import { run, testShell } from './test-shell.ts'

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await jobGateway()
})
afterEach(() => gateway.close())
const cli = (...args: string[]) => runOn(gateway, args)

describe('cron add', () => {
  test("the reporter's command works, and says when it runs next", async () => {
    const { code, out } = await cli('cron', 'add', '--name', 'my-job', '--schedule', '0 */6 * * *', '--message', 'hi')
    expect(code).toBe(0)
    expect(gateway.paramsOf('cron.add')[0]).toEqual({
      name: 'my-job',
      enabled: true,
      deleteAfterRun: false,
      schedule: { kind: 'cron', expr: '0 */6 * * *' },
      sessionTarget: 'isolated',
      wakeMode: 'next-heartbeat',
      payload: { kind: 'agentTurn', message: 'hi' },
      idempotencyKey: expect.any(String),
    })
    expect(out).toContain('Sun 2026-11-22 19:00 Europe/Berlin (+01:00)')
    expect(out.match(/Europe\/Berlin \(\+01:00\)/g)).toHaveLength(3)
  })

  test.each([
    [
      ['--every', '90m', '--text', 'x'],
      {
        schedule: { kind: 'every', everyMs: 5_400_000 },
        payload: { kind: 'message', text: 'x' },
        sessionTarget: 'main',
      },
    ],
    [
      ['--in', '20m', '--system-event', 'x'],
      { schedule: { kind: 'at', atMs: NOW + 1_200_000 }, payload: { kind: 'systemEvent', text: 'x' } },
    ],
    [['--at', '+20m', '--text', 'x'], { schedule: { kind: 'at', atMs: NOW + 1_200_000 } }],
    [['--at', '2026-12-24T18:00', '--text', 'x'], { schedule: { kind: 'at', atMs: Date.UTC(2026, 11, 24, 17) } }],
    [['--at', '2026-12-24T18:00Z', '--text', 'x'], { schedule: { kind: 'at', atMs: Date.UTC(2026, 11, 24, 18) } }],
    [['--at', '13:30', '--text', 'x'], { schedule: { kind: 'at', atMs: Date.UTC(2026, 10, 22, 12, 30) } }],
    [['--at', '9:00', '--text', 'x'], { schedule: { kind: 'at', atMs: Date.UTC(2026, 10, 23, 8) } }],
    [
      ['--at', '2026-12-24 18:00', '--tz', 'Asia/Tokyo', '--text', 'x'],
      { schedule: { kind: 'at', atMs: Date.UTC(2026, 11, 24, 9) } },
    ],
    [
      [
        '--cron',
        ' 0 9  * * 1-5',
        '--tz',
        'Europe/Berlin',
        '-m',
        'x',
        '--model',
        'p/m',
        '--timeout-seconds',
        '30',
        '--deliver',
        '--to',
        '7',
        '--disabled',
        '--agent',
        'ops',
        '--wake',
        'now',
      ],
      {
        enabled: false,
        agentId: 'ops',
        wakeMode: 'now',
        schedule: { kind: 'cron', expr: '0 9 * * 1-5', tz: 'Europe/Berlin' },
        payload: {
          kind: 'agentTurn',
          message: 'x',
          model: 'p/m',
          timeoutSeconds: 30,
          deliver: true,
          channel: 'last',
          to: '7',
        },
      },
    ],
    [
      ['--every', '1h', '--message=--json', '--post-prefix', 'P', '--dedupe', '--key', 'k'],
      { isolation: { postToMainPrefix: 'P' }, dedupe: true, idempotencyKey: 'k', payload: { message: '--json' } },
    ],
  ])('%j', async (flags, wire) => {
    expect((await cli('cron', 'create', '--name', 'n', ...flags)).code).toBe(0)
    expect(gateway.paramsOf('cron.add')[0]).toMatchObject(wire)
  })

  test.each([
    [[], /--name is missing/],
    [['--name', ' '], /--name is empty/],
    [['--name'], /--name needs a value/],
    [['--name', 'n'], /Give --message, --system-event, --text or --command/],
    [['--name', 'n', '--text', 'x'], /Give --when, --cron, --every, --at, --in or --after/],
    [['--name', 'n', '--text', 'x', '--every', '5'], /duration with its unit/],
    [['--name', 'n', '--text', 'x', '--every', '0ms'], /at least 1s/],
    [['--name', 'n', '--text', 'x', '--at', 'tomorrow-ish'], /is no time/],
    [['--name', 'n', '--text', 'x', '--at', '2026-02-30'], /is no time/],
    [['--name', 'n', '--text', 'x', '--at', '25:00'], /is no time/],
    [['--name', 'n', '--text', 'x', '--at', '2020-01-01T00:00'], /in the past/],
    [['--name', 'n', '--text', 'x', '--cron', '* *'], /5 or 6 fields/],
    [['--name', 'n', '--text', 'x', '--cron', '0 9 * * *', '--tz', 'Mars/Base'], /no zone/],
    [['--name', 'n', '--text', 'x', '--every', '1h', '--tz', 'UTC'], /leave it out/],
    [['--name', 'n', '--text', 'x', '--every', '1h', '--in', '1h'], /Give one of --every and --in/],
    [['--name', 'n', '--text', 'x', '--message', 'y', '--every', '1h'], /Give one of/],
    [['--name', 'n', '--text', 'x', '--model', 'm', '--every', '1h'], /--model belongs to a turn/],
    [['--name', 'n', '--text', 'x', '--every', '1h', '--session', 'side'], /main or isolated/],
    [['--name', 'n', '--name', 'm'], /given twice/],
    [['--nme', 'n'], /Did you mean --name/],
    [['--disabled=yes'], /takes no value/],
    [['--name', 'n', 'stray words'], /a word too many/],
    [['--name', 'n', '--text', '--every', '1h'], /write --text=--every/],
  ])('%j is refused with an example', async (flags, message) => {
    const { code, err } = await cli('cron', 'add', ...flags)
    expect([code, gateway.paramsOf('cron.add').length]).toEqual([2, 0])
    expect(err).toMatch(message)
    expect(err).toContain('for example: sluice cron add')
  })

  test('an equal job: says that nothing new was made', async () => {
    gateway.answers('cron.add', { ...job(), deduplicated: true })
    expect((await cli('cron', 'add', '--name', 'n', '--every', '1h', '--text', 'x')).out).toMatch(
      /Nothing new was made/,
    )
  })
})

describe('other cron commands', () => {
  test('list: a table that scripts can read, and one that fits', async () => {
    const { out } = await cli('cron', 'list')
    expect(out.split('\n')[0]).toMatch(/^ID +Name +Schedule +Next +Last +Status +Target +Agent$/)
    expect(out).toContain(`${ID} my-job cron 0 */6 * * * @ Europe/Berlin in 5m -`)
    for (const columns of [80, 60, 40, 30]) {
      const shell = testShell(gateway.url, { nowMs: NOW, tty: true })
      shell.columnsNow = columns
      await run(shell, 'cron', 'list', '--all')
      expect(shell.out).toContain('0fe0ab11 ')
      for (const line of shell.out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
    }
    expect(gateway.paramsOf('cron.list').map(params => params.includeDisabled)).toEqual([false, true, true, true, true])
  })

  test('list: none, and as JSON', async () => {
    expect(JSON.parse((await cli('cron', 'list', '--json')).out)).toMatchObject({ total: 1, jobs: [{ id: ID }] })
    gateway.answers('cron.list', { jobs: [], total: 0 })
    expect((await cli('cron', 'list')).out).toBe('No cron jobs.\n')
  })

  test('names from others cannot steer the terminal', async () => {
    gateway.answers('cron.list', { jobs: [job({ name: 'a\u001b[2Jb\nc' })], total: 1 })
    expect((await cli('cron', 'list')).out).toContain(' ab c ')
  })

  test.each([['my-job'], ['MY-JOB'], ['0fe0ab'], [ID]])('a job is found as %s', async reference => {
    gateway.answers('cron.remove', { ok: true, removed: true })
    expect((await cli('cron', 'delete', reference)).code).toBe(0)
    expect(gateway.paramsOf('cron.remove')).toEqual([{ id: ID }])
  })

  test('a name of two jobs is not guessed', async () => {
    gateway.answers('cron.list', { jobs: [job(), job({ id: 'other' })], total: 2 })
    const { code, err } = await cli('cron', 'rm', 'my-job')
    expect([code, gateway.paramsOf('cron.remove').length]).toEqual([2, 0])
    expect(err).toMatch(/names 2 jobs/)
  })

  test.each([
    [['enable', ID], { enabled: true }],
    [['disable', ID], { enabled: false }],
    [['edit', ID, '--every', '2h', '--name', 'x'], { name: 'x', schedule: { kind: 'every', everyMs: 7_200_000 } }],
    [['edit', ID, '--message', 'm'], { payload: { kind: 'agentTurn', message: 'm' } }],
    [['edit', ID, '--model', 'p/m'], { payload: { kind: 'agentTurn', model: 'p/m' } }],
    [
      ['edit', ID, '--no-deliver', '--clear-agent', '--keep-after-run'],
      { agentId: null, deleteAfterRun: false, payload: { kind: 'agentTurn', deliver: false } },
    ],
    [['edit', ID, '--disable'], { enabled: false }],
  ])('%j', async (args, patch) => {
    expect((await cli('cron', ...args)).code).toBe(0)
    expect(gateway.paramsOf('cron.update')[0]).toEqual({ id: ID, patch, idempotencyKey: expect.any(String) })
  })

  test.each([
    [['edit', ID], /What shall change/],
    [['edit', ID, '--enable', '--disable'], /contradict/],
    [['edit'], /Which job/],
    [['runs'], /Which job/],
    [['runs', 'a', '--id', 'b'], /named twice/],
    [['runs', ID, '--limit', '0'], /whole number from 1/],
    [['list', '--timeout', 'soon'], /whole number/],
    [['list', '--url', 'http://x'], /must begin with ws/],
  ])('%j is refused', async (args, message) => {
    const { code, err } = await cli('cron', ...args)
    expect(code).toBe(2)
    expect(err).toMatch(message)
  })

  test.each([
    [[], { ok: true, ran: false, reason: 'not-due' }, { mode: 'due' }, /not due.*sluice cron run my-job --force/, 0],
    [['--force'], { ok: true, ran: true, runId: 'r' }, { mode: 'force' }, /Started \(run r\)/, 0],
    [
      [],
      { ok: true, ran: false, reason: 'already-running', runId: 'r' },
      { mode: 'due' },
      /running already \(run r\)/,
      0,
    ],
    [['--wait', '--force'], { ok: true, ran: true, runId: 'r', status: 'ok' }, { wait: true }, /Ran \(run r\), ok/, 0],
    [['--wait'], { ok: true, ran: true, status: 'error', error: 'no model' }, { wait: true }, /error: no model/, 1],
  ])('run %j says what happened', async (...[flags, answer, wire, words, exit]) => {
    gateway.answers('cron.run', answer)
    const { code, out } = await cli('cron', 'run', 'my-job', ...flags)
    expect(code).toBe(exit)
    expect(out).toMatch(words)
    expect(gateway.paramsOf('cron.run')[0]).toMatchObject(wire)
  })

  test('runs by --id', async () => {
    gateway.answers('cron.runs', {
      entries: [
        {
          ts: NOW,
          jobId: ID,
          action: 'finished',
          status: 'error',
          state: 'failed',
          error: 'no',
          runAtMs: NOW,
          durationMs: 1200,
          occurrence: 'o',
        },
      ],
    })
    expect((await cli('cron', 'runs', '--id', ID, '--limit', '5')).out).toMatch(
      /2026-11-22 13:00 \+01:00 failed 1s +no/,
    )
    expect(gateway.paramsOf('cron.runs')).toEqual([{ id: ID, limit: 5 }])
  })
})

describe('gateway call, agent, errors', () => {
  test('gateway call, in the words that scripts know', async () => {
    gateway.on('nonsense', ({ refuse }) => refuse({ code: 'UNAVAILABLE', message: 'Error: boom' }))
    expect((await cli('gateway', 'call', 'cron.status')).out).toMatch(
      /^Gateway call: cron.status\n\{\n {2}"enabled": true/,
    )
    expect(JSON.parse((await cli('gateway', 'call', 'cron.status', '--json')).out).zone).toBe('Europe/Berlin')
    expect(await cli('gateway', 'call', 'nope')).toMatchObject({
      code: 1,
      err: 'Gateway call failed: Error: unknown method: nope\n',
    })
    expect((await cli('gateway', 'call', 'nonsense')).err).toBe('Gateway call failed: Error: boom\n')
    expect((await cli('gateway', 'call', 'x', '--params', '{')).code).toBe(2)
  })

  test('agent: prints the reply; a terminal sees it come', async () => {
    gateway.on('agent', ({ asked, answer, event }) => {
      const runId = asked.params.idempotencyKey
      answer({ runId, status: 'accepted' })
      for (const text of ['He', 'Hello']) {
        event('agent', {
          runId,
          seq: 1,
          ts: 1,
          sessionKey: 'agent:main:main',
          stream: 'assistant',
          data: { text, delta: text },
        })
        event('agent', {
          runId: 'other',
          seq: 1,
          ts: 1,
          sessionKey: 'x',
          stream: 'assistant',
          data: { text: 'no', delta: 'no' },
        })
      }
      answer({ runId, status: 'ok', warning: 'sent nowhere', result: { payloads: [{ text: 'Hello' }] } })
    })
    expect(await cli('agent', '--message', 'hi', '--session-key', 'main', '--timeout', '5')).toMatchObject({
      code: 0,
      out: 'Hello\n',
      err: 'sent nowhere\n',
    })
    expect(gateway.paramsOf('agent')[0]).toMatchObject({ message: 'hi', sessionKey: 'main', timeout: 5 })
    expect(JSON.parse((await cli('agent', '-m', 'hi', '--json')).out).status).toBe('ok')
    const shell = testShell(gateway.url, { tty: true })
    expect(await run(shell, 'agent', '-m', 'hi')).toBe(0)
    expect(shell.out).toBe('Hello\n')
  })

  test('agent: Ctrl-C stops the run itself', async () => {
    const shell = testShell(gateway.url)
    gateway.on('agent', conversation => {
      conversation.answer({ runId: 'r', status: 'accepted' })
      gateway.on('chat.abort', abort => {
        abort.answer({ ok: true, aborted: true, runIds: ['r'] })
        conversation.refuse({ code: 'UNAVAILABLE', message: 'aborted', details: { code: 'CANCELLED' } })
      })
      shell.interrupt()
    })
    expect(await run(shell, 'agent', '-m', 'hi')).toBe(130)
    expect(gateway.paramsOf('chat.abort')[0]).toMatchObject({ sessionKey: 'agent:main:main' })
  })

  test('errors as JSON', async () => {
    const { code, out } = await cli('cron', 'edit', ID, '--every', '1', '--json')
    expect([code, JSON.parse(out).error.code]).toEqual([2, 'INVALID_REQUEST'])
    await gateway.close()
    const gone = await cli('cron', 'list', '--json')
    expect([gone.code, JSON.parse(gone.out).error.code]).toEqual([1, 'UNAVAILABLE'])
  })

  test('no gateway: says how to start one', async () => {
    await gateway.close()
    const { code, err } = await cli('cron', 'list')
    expect(code).toBe(1)
    expect(err).toBe(`Error: No gateway answers at ${gateway.url}. Start one with: /opt/sluice/bin/sluice gateway\n`)
  })

  test.each([
    [['crn', 'list'], /Did you mean "cron list"/],
    [['cron', 'lst'], /Did you mean "cron list"/],
    [['gateway', 'cal', 'x'], /There is no command/],
    [['frobnicate'], /There is no command "frobnicate"/],
    [['cron'], /cron add/],
    [[], /Usage/],
    [['--bogus'], /--bogus needs a command/],
    [['gateway', '--port', '99999'], /whole number from 0 to 65535/],
  ])('%j ends with 2', async (args, message) => {
    const { code, err } = await cli(...args)
    expect(code).toBe(2)
    expect(err).toMatch(message)
  })

  test.each([30, 60, 80, 200])('help stands in its columns on a terminal of %i', async columns => {
    const shell = testShell(gateway.url, { tty: true })
    shell.columnsNow = columns
    for (const words of [['--help'], ['cron', '--help'], ['cron', 'add', '--help']]) await run(shell, ...words)
    const rows = shell.out.split('\n').filter(row => row.startsWith('  '))
    expect(rows.length).toBeGreaterThan(COMMANDS.length)
    // A name or a flag itself is never broken; what stands beside or below it fits.
    for (const row of rows.filter(each => /^ {5}|^ {2}\S+.* {2}\S/.test(each))) {
      expect(row.length, row).toBeLessThan(columns)
    }
  })

  test('a file that the system refuses is told with what to look at, as no defect', async () => {
    const shell = testShell(gateway.url)
    const refused = Object.assign(new Error("EACCES: permission denied, open '/x/sluice.json'"), { syscall: 'open' })
    shell.connect = () => Promise.reject(refused)
    expect([await run(shell, 'status'), shell.err]).toEqual([
      1,
      `Error: ${refused.message}. Check that path, whose it is, and SLUICE_STATE_DIR.\n`,
    ])
  })

  test('help, version, gateway', async () => {
    expect(await cli('--version')).toMatchObject({ code: 0, out: '9.9.9\n' })
    expect((await cli('--help')).out).toContain('cron add')
    expect((await cli('help')).out).toBe((await cli('--help')).out)
    for (const words of [['cron'], ['cron', 'add']])
      expect((await cli('help', ...words)).out).toBe((await cli(...words, '--help')).out)
    expect((await cli('help', 'config')).out).toMatch(/config get \[key\] .*\n {2}config set <key> <value> /)
    for (const { name } of COMMANDS) expect(await cli(...name.split(' '), '--help')).toMatchObject({ code: 0, err: '' })
    expect((await cli('--no-color', 'gateway', '--port', '0')).shell.portAsked).toBe(0)
  })
})
