// The shapes in which a process that a turn started calls the gateway that waits for it: a list while the turn is under
// way, a message to the turn's own session, and what must not leak on the way there or live on afterwards.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { heldJob, jobSession } from '../e2e/jobs.ts'
import { call, Gate, resultOf, type Step } from '../e2e/scripted-model.ts'
import type { ModelAsk } from '../fakes/model-server.ts'
import { atEachLimit, exec, type House, send } from './house.ts'
import { processesOfTurns, processTable } from './process-table.ts'

const EXEC = { security: 'full', ask: 'off' }
const DISABLED = 'cron'

interface Ran {
  readonly exitCode: number
  readonly output: string
}

/** Each command's end, as the model is shown it. */
const ranIn = (ask: ModelAsk) => ask.results.map((_, index) => resultOf(ask, index) as unknown as Ran)
const results: Step = ask => ({ text: JSON.stringify(ranIn(ask)) })

/** A port that a command of a turn connects to, so that its life can be seen from here. */
async function lifeline({ scope }: House): Promise<{ port: number; connected: Promise<Socket> }> {
  const { promise, resolve } = Promise.withResolvers<Socket>()
  const server = createServer(socket => resolve(socket.on('error', () => undefined).resume()))
  const { promise: listening, resolve: listens } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', () => listens())
  await within(listening, 'a port')
  scope.onEnd(() => void server.close())
  return { port: (server.address() as AddressInfo).port, connected: within(promise, 'the process') }
}

atEachLimit(
  house => {
    test('WAIT-32 W1 W3: the command line in the own turn of a job lists, adds once and runs jobs, as that turn', async () => {
      const { client, limit } = house
      const name = `by a command, ${limit}`
      const add = ['cron', 'add', '--name', name, '--every', '6h', '--message', 'hi', '--json']
      const shown = Promise.withResolvers<Ran[]>()
      const self = await heldJob(house, `calls the command line, ${limit}`, [
        ({ user }) => {
          const jobId = String(/\[cron:(\S+) /.exec(user)?.[1])
          return exec(['cron', 'list', '--json'], add, add, ['cron', 'run', jobId, '--force', '--json'])
        },
        ask => {
          shown.resolve(ranIn(ask))
          return { text: 'done' }
        },
      ])
      self.gate.open()
      expect(await self.ended()).toMatchObject({ status: 'ok', summary: 'done' })
      const [list, first, second, run] = (await shown.promise).map(({ output }) => JSON.parse(output))
      const own = list.jobs.find(({ id }: { id: string }) => id === self.job.id)
      expect(own.state.runningAtMs).toEqual(expect.any(Number))
      expect(first).toMatchObject({ name, madeBy: { kind: 'agent', sessionKey: jobSession(self.job) } })
      expect(second).toMatchObject({ id: first.id, deduplicated: true })
      expect(run).toMatchObject({ ok: true, ran: false, reason: 'already-running' })
      const { jobs } = await client.call('cron.list', { includeDisabled: true })
      expect(jobs.filter(job => job.name === name)).toHaveLength(1)
    })

    test('WAIT-32 W4: a command that waits for the session it was started in is refused at once, by name', async () => {
      const { model } = house
      const key = 'agent:main:own'
      model.script(key, exec(['agent', '--session', key, '--message', 'again', '--json']), results)
      await house.chat('own', 'begin', 'own-1')
      const [{ exitCode, output }] = JSON.parse(await house.reply('own-1'))
      expect(exitCode).not.toBe(0)
      expect(output).toContain('WOULD_DEADLOCK')
      expect(output).toContain('the turn of agent:main:own')
      expect(await house.inputsOf('own')).toEqual(['begin'])
    })

    test('WAIT-32 W4 W5: a command waits for another session, whose command or turn may not wait for its own', async () => {
      const { model } = house
      const ask = (session: string) => exec(['agent', '--session', session, '--message', 'and you?', '--json'])
      model.script('agent:main:near', ask('far'), results)
      const both = send('near')
      model.script('agent:main:far', both, ask('near'), ({ results: told }) => ({
        text: `refused ${told.map(text => text.includes('WOULD_DEADLOCK'))}`,
      }))
      await house.chat('near', 'begin', 'near-1')
      const [{ exitCode, output }] = JSON.parse(await house.reply('near-1'))
      expect(exitCode).toBe(0)
      expect(JSON.parse(output).result.payloads[0].text).toBe('refused true,true')
      expect(await house.inputsOf('near')).toEqual(['begin'])
    })

    test('WAIT-32 W1: a process has a cause and no token; no list of processes shows either', async () => {
      const { client, gateway, model } = house
      const gate = new Gate()
      model.script('agent:main:seen', exec(['agent', '--session', 'holds', '--message', 'hold on']), results)
      model.script('agent:main:holds', gate.hold({ text: 'held' }))
      await house.chat('seen', 'begin', 'seen-1')
      await gate.reached
      const [command] = processesOfTurns(gateway.port)
      const cause = command?.env.find(entry => entry.startsWith('SLUICE_CAUSE='))?.slice('SLUICE_CAUSE='.length)
      expect(cause).toMatch(/^[\w-]+\.[\w-]+$/)
      expect(command?.commandLine).toContain('--session holds')
      expect(command?.env.filter(entry => entry.includes(gateway.token))).toEqual([])
      for (const secret of [String(cause), gateway.token]) {
        expect(processTable().filter(({ commandLine }) => commandLine.includes(secret))).toEqual([])
      }
      expect((await client.call('status', {})).runs).toMatchObject({ running: 2, parked: 1 })
      expect(gate.isOpen).toBe(false)
      gate.open()
      expect(JSON.parse(await house.reply('seen-1'))).toMatchObject([{ exitCode: 0, output: 'held\n' }])
    })

    test('WAIT-32 W7: a stop ends a command and all that it started', async () => {
      const { client, model } = house
      const { port, connected } = await lifeline(house)
      const node = `node -e "require('net').connect(${port}, '127.0.0.1')"`
      model.script('agent:main:group', call('exec', { command: ['sh', '-c', `${node} & wait`] }), { text: 'never' })
      await house.chat('group', 'begin', 'group-1')
      const socket = await connected
      const gone = new Promise<void>(resolve => socket.once('close', () => resolve()))
      expect(await client.call('chat.abort', { sessionKey: 'group' })).toMatchObject({ runIds: ['group-1'] })
      await within(gone, 'the end of what the command had started')
      expect((await client.events.ended('group-1')).state).toBe('aborted')
      expect(processesOfTurns(house.gateway.port)).toEqual([])
      expect(house.asksOf('group')).toBe(1)
    })
  },
  { config: { tools: { exec: EXEC } } },
)

atEachLimit(
  house => {
    test('WAIT-32 W1: what a turn may not use, a process that it started may not either', async () => {
      const { client, model } = house
      model.script(
        'agent:main:less',
        exec(['cron', 'add', '--name', 'mine', '--every', '1h', '--message', 'hi'], ['status']),
        results,
      )
      await house.chat('less', 'begin', 'less-1')
      const [refused, allowed]: Ran[] = JSON.parse(await house.reply('less-1'))
      expect(refused?.exitCode).not.toBe(0)
      expect(refused?.output).toMatch(/may not|not allowed|forbidden/i)
      expect(allowed?.exitCode).toBe(0)
      expect((await client.call('cron.list', {})).jobs).toEqual([])
      expect(model.asks('agent:main:less')[0]?.tools).not.toContain(DISABLED)
    })
  },
  { config: { tools: { exec: EXEC, deny: [DISABLED] } } },
)
