// The guide to Telegram tells the truth: its commands are run in their order, by the real CLI, from a gateway without a
// channel to a reminder in a chat; its configs are valid.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMMANDS } from '../../src/delivery/commands.ts'
import { BotApi } from '../fakes/telegram/bot-api.ts'
import { within } from './bound.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'

const GUIDE = readFileSync(new URL('../../docs/guides/telegram.md', import.meta.url), 'utf8')
const blocks = (kind: string) =>
  [...GUIDE.matchAll(new RegExp(`^ *\`\`\`${kind}\\n([\\s\\S]*?)^ *\`\`\`$`, 'gm'))].map(([, text = '']) => text)
const commands = blocks('sh').flatMap(text => text.trim().split(/\n */))

const scope = new Scope()
const api = new BotApi()
const ada = api.person('Ada')
let gateway: GatewayProcess

beforeAll(async () => {
  await api.up()
  scope.onEnd(() => api.down())
  const telegram = { enabled: false, apiRoot: api.apiRoot }
  gateway = await scope.gateway({ config: { channels: { telegram } } })
})
afterAll(() => scope.end())

const run = async (command: string, input?: string) => {
  const [name, ...words] = command.split(' ')
  expect(name).toBe('sluice')
  return await gateway.cli(words, input === undefined ? {} : { input })
}

const config = () => readFileSync(join(gateway.stateDir, 'sluice.json'), 'utf8')
const add = (...more: string[]) => ['channels', 'add', 'telegram', ...more]

test('a token that Telegram does not know is not written, however it is given', async () => {
  const before = config()
  const wrong = `${api.token}-wrong`
  const file = join(gateway.stateDir, 'wrong-token')
  writeFileSync(file, `${wrong}\n`)
  const ends = [
    await gateway.cli(add(), { input: `${wrong}\n` }),
    await gateway.cli(add('--token-file', file)),
    await gateway.cli(add('--use-env'), { env: { TELEGRAM_BOT_TOKEN: wrong } }),
  ]
  for (const { code, stderr } of ends) {
    expect([code, config()]).toEqual([1, before])
    expect(stderr).toMatch(/Nothing was changed: Telegram does not know this token/)
    expect(stderr).not.toContain(api.token)
  }
})

test('a token of a bot on the command line is refused with the ways that there are', async () => {
  const { code, stderr } = await gateway.cli(add('--token', api.token))
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^--token is the gateway's own\. .*paste it when asked/)])
})

test('from BotFather to the first reminder, as the guide says', async () => {
  expect(commands).toEqual([
    'sluice channels add telegram',
    'sluice pairing approve <code> --owner',
    'sluice channels status',
    'sluice pairing list',
  ])
  const [first = '', approve = '', status = '', list = ''] = commands
  const added = await run(first, `${api.token}\n`)
  expect(added).toMatchObject({ code: 0 })
  expect(added.stdout).toContain('Telegram knows this bot as @slu_bot.')
  expect(added.stdout).not.toContain(api.token)
  await gateway.restarted()
  const said = () => api.seen(ada.id).map(({ text }) => text)
  const told = async (words: RegExp) => {
    await api.until(() => said().some(text => words.test(text)), `${words}`)
    return said().find(text => words.test(text)) ?? ''
  }
  ada.write('hello')
  const code = /^[A-Z2-9]{8}$/m.exec(await told(/with this code/))?.[0] ?? ''
  expect((await run(approve.replace('<code>', code))).code).toBe(0)
  await told(/let in/)
  const words = /Write to the bot: `([^`]+)`/.exec(GUIDE)?.[1] ?? ''
  ada.write(words.replace('5 seconds', '1 second'))
  await told(/^Done: I will say “stretch”/)
  await told(/^stretch$/)
  expect((await run(status)).stdout).toMatch(/telegram +running +slu_bot/)
  expect((await run(list)).stdout).toMatch(/Ada +\S+ \S+ +yes +cli/)
})

test('the owner is asked in their chat about a stranger, lets them in by a button, and the list says who did', async () => {
  const bob = api.person('Bob', 'bob')
  const saidTo = (id: number, words: RegExp) => api.seen(id).some(({ text }) => words.test(text))
  bob.write('hello')
  await api.until(() => saidTo(bob.id, /with this code/), 'the code')
  bob.write('hello?')
  await api.until(() => saidTo(ada.id, /^Bob .*asks to talk to me/), 'the question')
  expect(await within(ada.press('Approve').note, 'the note')).toMatch(/^Bob \(@bob, id \d+\) is let in, and told\.$/)
  await api.until(() => saidTo(bob.id, /You are let in/), 'the word to Bob')
  expect(await within(ada.press('Approve').note, 'the note')).toMatch(/Nobody has the code/)
  expect(api.seen(ada.id).filter(({ text }) => text.includes('asks to talk'))).toHaveLength(1)
  expect((await gateway.cli(['pairing', 'list'])).stdout).toMatch(/Bob @bob .* - +Ada \(id \d+\) on telegram/)
  const revoked = await gateway.cli(['pairing', 'revoke', 'telegram', String(ada.id), '--owner'])
  expect(revoked.stdout).toBe(`No owner any more: ${ada.id}.\n`)
})

test('another way to give the token takes the place of the first, also while Telegram is not reached', async () => {
  const file = join(gateway.stateDir, 'bot-token')
  writeFileSync(file, api.token)
  await api.down()
  const { code, stdout } = await gateway.cli(add('--token-file', file))
  expect(code).toBe(0)
  expect(stdout).toMatch(/Telegram was not asked whether it knows the token: Telegram was not reached/)
  expect(JSON.parse(config()).channels.telegram).toEqual({ apiRoot: api.apiRoot, tokenFile: file })
})

test('its configs are valid', async () => {
  const configs = blocks('json5')
  expect(configs).toHaveLength(2)
  const secret = join(gateway.stateDir, 'bot-token')
  writeFileSync(secret, api.token)
  for (const text of configs) {
    const file = join(gateway.stateDir, 'guide.json5')
    writeFileSync(file, text.replace('/run/secrets/bot-token', secret))
    const env = { TELEGRAM_BOT_TOKEN: api.token, TELEGRAM_WEBHOOK_SECRET: 'a-secret_of-the-webhook' }
    const { stdout } = await gateway.cli(['config', 'validate', file], { env })
    expect(stdout.trim()).toMatch(/is right\.$/)
  }
})

test('it names every command of a chat', () => {
  expect(COMMANDS.map(({ name }) => name).filter(name => !GUIDE.includes(`\`/${name}`))).toEqual([])
})
