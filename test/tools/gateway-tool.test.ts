// The gateway tool: which calls it makes of its arguments, and what it tells the model of a restart.
import { expect, test } from 'vitest'
import { gatewayTool } from '../../src/tools/gateway-tool.ts'
import { Toolbox } from '../../src/tools/toolbox.ts'

const SHUT = { ok: true, restartAtMs: 5, delayMs: 750 }

async function use(args: object, restart: object | null = null) {
  const calls: unknown[] = []
  const call = async (method: string, params: unknown) => {
    calls.push([method, params])
    if (method === 'config.get') return { hash: 'present' }
    return method === 'gateway.restart' ? SHUT : { ok: true, applied: ['cron.enabled'], restart }
  }
  const toolbox = new Toolbox([gatewayTool], { allow: undefined, deny: [] })
  const { text, isError } = await toolbox.run({ name: 'gateway', args }, { call } as never)
  return { calls, isError, answer: JSON.parse(text) }
}

test('W7: after a restart the model is told that its turn goes on, and not to ask again', async () => {
  const { calls, answer } = await use({ action: 'restart', delayMs: 750, reason: 'because' })
  expect(calls).toEqual([['gateway.restart', { delayMs: 750, reason: 'because' }]])
  expect(answer).toMatchObject(SHUT)
  expect(answer.message).toMatch(
    /restarts in 750 ms.*turn goes on afterwards by itself.*do not ask for the restart again/,
  )
  const patched = await use({ action: 'config.patch', raw: '{}' }, SHUT)
  expect(patched.answer.message).toBe(answer.message)
})

test('a patch is made on the hash that was given, else on the present one', async () => {
  const absent = await use({ action: 'config.patch', raw: '{a:1}', note: 'n', restartDelayMs: 3 })
  expect(absent.calls).toEqual([
    ['config.get', {}],
    ['config.patch', { raw: '{a:1}', baseHash: 'present', note: 'n', restartDelayMs: 3 }],
  ])
  expect(absent.answer.message).toBe('It holds from now on.')
  const given = await use({ action: 'config.patch', raw: '{}', baseHash: 'h' })
  expect(given.calls).toEqual([['config.patch', { raw: '{}', baseHash: 'h' }]])
})

test('what cannot be is refused before any call; no address and no token is taken (W1)', async () => {
  for (const args of [{ action: 'config.patch' }, { action: 'update.run' }, { action: 'restart', delayMs: -1 }]) {
    expect(await use(args)).toMatchObject({ isError: true, calls: [] })
  }
  const { calls } = await use({ action: 'config.get', gatewayUrl: 'ws://127.0.0.1:1', gatewayToken: 't' })
  expect(calls).toEqual([['config.get', {}]])
  expect(gatewayTool.replay).toBe('safe')
})
