// Tools run one way: every outcome is text that a model can act on, and no tool can name a gateway.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SluiceError } from '../../src/base/errors.ts'
import { cronTool } from '../../src/tools/cron-tool.ts'
import { SESSION_TOOLS } from '../../src/tools/session-tools.ts'
import { type ToolCaller, type ToolContext, tool } from '../../src/tools/tool.ts'
import { RESULT_LENGTH_MAX, Toolbox } from '../../src/tools/toolbox.ts'

const all = { allow: undefined, deny: [] }

function contextWith(answer: (method: string, params: unknown) => unknown): ToolContext {
  const call = (async (method: string, params: unknown) => answer(method, params)) as ToolCaller
  return {
    call,
    sessionKey: 'agent:main:main',
    agentId: 'main',
    zone: 'Europe/Berlin',
    signal: new AbortController().signal,
    outside: wait => wait(),
    cause: () => '',
    approve: async () => ({ allowed: true }),
  }
}

const box = (run: () => Promise<unknown>) =>
  new Toolbox([tool({ name: 't', description: '', parameters: z.object({ n: z.number() }), replay: 'safe', run })], all)

describe('outcomes', () => {
  test('a failure is a result with its code and outcome', async () => {
    const failing = box(async () => {
      throw new SluiceError('WOULD_DEADLOCK', 'a cycle', { outcome: 'not-started', details: { cycle: ['x'] } })
    })
    const result = await failing.run(
      { name: 't', args: { n: 1 } },
      contextWith(() => undefined),
    )
    expect(result.isError).toBe(true)
    expect(JSON.parse(result.text)).toEqual({
      status: 'error',
      tool: 't',
      error: 'a cycle',
      code: 'WOULD_DEADLOCK',
      outcome: 'not-started',
      cycle: ['x'],
    })
  })

  test('wrong arguments, an unknown tool and a denied one never run', async () => {
    let ran = 0
    const context = contextWith(() => undefined)
    const counting = box(async () => (ran += 1))
    expect((await counting.run({ name: 't', args: '{oops' }, context)).text).toContain('invalid arguments')
    expect((await counting.run({ name: 'u', args: {} }, context)).text).toContain(
      'there is no tool named u; use one of: t',
    )
    const denied = new Toolbox([cronTool], { allow: undefined, deny: ['cron'] })
    expect((await denied.run({ name: 'cron', args: {} }, context)).isError).toBe(true)
    expect(
      new Toolbox([cronTool, ...SESSION_TOOLS], { allow: ['cron'], deny: [] }).descriptions.map(made => made.name),
    ).toEqual(['cron'])
    expect(ran).toBe(0)
  })

  test('a long result is cut at its limit and says so', async () => {
    const long = await box(async () => 'x'.repeat(RESULT_LENGTH_MAX + 50)).run(
      { name: 't', args: { n: 1 } },
      contextWith(() => undefined),
    )
    expect(long.text).toContain('(cut: ')
    expect(long.text.length).toBeLessThan(RESULT_LENGTH_MAX + 100)
  })
})

describe('the tools', () => {
  test('W1: no tool takes a gateway address, a token or a time-out for reaching one', () => {
    const { descriptions } = new Toolbox([cronTool, ...SESSION_TOOLS], all)
    expect(descriptions.map(made => made.name)).toEqual([
      'cron',
      'sessions_list',
      'sessions_history',
      'sessions_send',
      'sessions_spawn',
      'agents_list',
      'session_status',
    ])
    expect(JSON.stringify(descriptions.map(made => Object.keys(made.parameters.properties as object)))).not.toMatch(
      /url|token|timeoutMs/i,
    )
  })

  test('cron add hands the job on as it is and answers with the next time in local words', async () => {
    const asked: unknown[] = []
    const context = contextWith((method, params) => {
      asked.push([method, params])
      return { id: 'j', schedule: { kind: 'at', atMs: 0 }, state: { nextRunAtMs: Date.UTC(2026, 10, 23, 8) } }
    })
    const job = { name: 'n', schedule: { at: '2026-11-23T09:00' }, payload: { kind: 'message', text: 't' } }
    const result = await new Toolbox([cronTool], all).run({ name: 'cron', args: { action: 'add', job } }, context)
    expect(asked).toEqual([
      ['cron.add', job],
      ['cron.next', { jobId: 'j', count: 1 }],
    ])
    expect(JSON.parse(result.text).next).toBe('Mon 2026-11-23 09:00 Europe/Berlin (+01:00)')
  })

  test('cron run means now; a missing id is asked for', async () => {
    const context = contextWith((method, params) => ({ method, params }))
    const tools = new Toolbox([cronTool], all)
    const ran = await tools.run({ name: 'cron', args: { action: 'run', id: 'j' } }, context)
    expect(JSON.parse(ran.text)).toEqual({ method: 'cron.run', params: { jobId: 'j', mode: 'force' } })
    expect((await tools.run({ name: 'cron', args: { action: 'remove' } }, context)).text).toContain('needs \\"jobId\\"')
  })
})
