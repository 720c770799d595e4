// The report that this gateway answers, as it was written: two gateways on one host, each bound to one tailnet address, a
// bot each; from a Telegram chat the agent lists and adds jobs while a job runs. A gate holds that job's turn until the
// chat was answered, so that a call which waits for it could never pass. The kernel's table shows whom a gateway dials.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BotApi } from '../fakes/telegram/bot-api.ts'
import type { Person } from '../fakes/telegram/chats.ts'
import { dialedFrom, selfConnections } from '../waiting/socket-table.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { agentJob, jobSession } from './jobs.ts'
import { bridge } from './namespace-bridge.ts'
import { networkNamespace, whyNoNamespace } from './network-namespace.ts'
import { call, Gate, resultOf, type ScriptedModel, startScriptedModel } from './scripted-model.ts'
import { sessionOf } from './telegram-rig.ts'

const scope = new Scope()
const why = whyNoNamespace()
if (why !== undefined) process.stderr.write(`skipped: the report on tailnet addresses: ${why}\n`)

interface Site {
  readonly api: BotApi
  readonly model: ScriptedModel
  readonly gateway: GatewayProcess
}

async function site(name: string, address: string): Promise<Site> {
  const api = new BotApi()
  await api.up()
  scope.onEnd(() => api.down())
  const model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  const under = networkNamespace(scope, name, address)
  await bridge(
    scope,
    under,
    [api.apiRoot, model.server.baseUrl].map(url => Number(new URL(url).port)),
  )
  const telegram = { botToken: api.token, apiRoot: api.apiRoot, streamMode: 'off' }
  const tools = { exec: { security: 'full', ask: 'off' } }
  const config = { gateway: { bind: 'tailnet' }, tools, channels: { telegram }, ...model.config() }
  const gateway = await scope.gateway({ config, under })
  expect(gateway.url).toBe(`ws://${address}:${gateway.port}`)
  return { api, model, gateway }
}

const told = async ({ api }: Site, person: Person, words: RegExp) => {
  const found = () => api.seen(person.id).find(({ text }) => words.test(text))?.text
  await api.until(() => found() !== undefined, `${words} for ${person.user.first_name}`)
  return found() as string
}
/** A person who was let in by a code that the owner typed. */
async function paired(at: Site, name: string): Promise<Person> {
  const person = at.api.person(name)
  person.write('hello')
  const [code = ''] = /^[A-Z2-9]{8}$/m.exec(await told(at, person, /with this code/)) ?? []
  expect(await at.gateway.cli(['pairing', 'approve', code])).toMatchObject({ code: 0 })
  await told(at, person, /let in/)
  return person
}
const jobsOf = async ({ gateway }: Site): Promise<{ id: string; name: string; sessionKey?: string }[]> =>
  JSON.parse((await gateway.cli(['cron', 'list', '--all', '--json'])).stdout).jobs

// skipped where nobody may make a network; the reason was printed.
describe.skipIf(why !== undefined)('two gateways, each on one tailnet address', () => {
  let one: Site
  let other: Site
  beforeAll(async () => {
    one = await site('one', '100.64.7.9')
    other = await site('two', '100.64.7.10')
  })
  afterAll(() => scope.end())

  test('W1 W2 T2: from a chat, while a job runs: jobs are listed and added, one is made, and its message comes', async () => {
    const ada = await paired(one, 'Ada')
    const pid = JSON.parse((await one.gateway.cli(['status', '--json'])).stdout).pid as number
    const slow = await one.gateway.cli(['cron', 'add', '--name', 'slow', '--in', '0s', '--message', 'do it', '--json'])
    const { id } = JSON.parse(slow.stdout)
    const gate = new Gate()
    one.model.script(jobSession({ id }), gate.hold({ text: 'done' }))
    await gate.reached
    const before = dialedFrom(one.gateway.port, pid)
    expect(before.size).toBeGreaterThan(0)
    const looked: string[][] = []
    // The model tries twice, as one that was told of an error did.
    const add = () => {
      looked.push(selfConnections(pid))
      const job = { ...agentJob('my-job'), schedule: { kind: 'cron', expr: '0 */6 * * *' } }
      return { calls: [{ name: 'cron', args: { action: 'add', job } }] }
    }
    const remind = () => {
      const payload = { kind: 'message', text: 'it is time' }
      const job = { name: 'now', schedule: { kind: 'at', atMs: Date.now() }, payload }
      return { calls: [{ name: 'cron', args: { action: 'add', job } }] }
    }
    one.model.script(sessionOf(ada.id), call('cron', { action: 'list' }), add, add, remind, ask => {
      looked.push(selfConnections(pid))
      const [listed, first, second] = [0, 1, 2].map(index => resultOf(ask, index))
      const names = (listed?.jobs as { name: string }[] | undefined)?.map(({ name }) => name)
      return { text: `listed ${names}; made ${first?.id === second?.id ? 'one' : 'two'}` }
    })
    ada.write('every six hours, please')
    expect(await told(one, ada, /^listed/)).toBe('listed slow; made one')
    await told(one, ada, /it is time/)
    expect(gate.isOpen).toBe(false)
    expect(looked).toEqual([[], [], []])
    expect([...dialedFrom(one.gateway.port, pid)].filter(port => !before.has(port))).toEqual([])
    const words = ['sluice', 'cron', 'list']
    one.model.script(sessionOf(ada.id), call('exec', { command: words }), ask => ({ text: ask.results[0] ?? '' }))
    ada.write('and by a command')
    expect(await told(one, ada, /exitCode/)).toMatch(/my-job[\s\S]*exitCode":0|exitCode":0[\s\S]*my-job/)
    expect((await jobsOf(one)).filter(({ name }) => name === 'my-job')).toHaveLength(1)
    const ran = one.gateway.cli(['cron', 'run', 'my-job', '--force'])
    const { id: jobId } = (await jobsOf(one)).find(({ name }) => name === 'my-job') as { id: string }
    one.model.script(jobSession({ id: jobId }), { text: 'it has run' })
    expect((await ran).code).toBe(0)
    await told(one, ada, /it has run/)
    gate.open()
    expect(one.api.seen(ada.id).filter(({ text }) => /it is time|it has run/.test(text))).toHaveLength(2)
  })

  test('the other one knows nothing of it, and serves its own chat', async () => {
    const bob = await paired(other, 'Bob')
    other.model.script(sessionOf(bob.id), call('cron', { action: 'list' }), ask => ({
      text: `listed ${(resultOf(ask, 0).jobs as unknown[]).length}`,
    }))
    bob.write('what is scheduled?')
    await told(other, bob, /listed 0/)
    expect(await jobsOf(other)).toEqual([])
    // The two bots count their people alike: Bob and Ada have one id.
    expect(one.api.seen(bob.id).map(({ text }) => text)).not.toContain('listed 0')
  })
})
