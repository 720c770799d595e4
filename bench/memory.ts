// Resident memory of the bundled gateway, as the system counts it: before the first turn, after 200 turns and after
// 400, once with a model behind the OpenAI wire and once with the built-in one. A bare Node stands beside.
import { spawn } from 'node:child_process'
import { connect, install, residentMb, startGateway, startModel } from './gateway-process.ts'
import { type Figure, pause } from './measure.ts'
import { folderWithJobs } from './state.ts'

const TURNS = 200
const SESSIONS = 20
const SETTLE_MS = 1_500
const FRESH_GOAL_MB = 90
const USED_GOAL_MB = 140
/** Flat: another 200 turns may cost so much more. */
const GROWTH_GOAL_MB = 10

interface Weighed {
  readonly fresh: number
  readonly used: number
  readonly usedMore: number
}

async function weigh(wishes: Parameters<typeof startGateway>[0], message: (turn: number) => string): Promise<Weighed> {
  const gateway = await startGateway(wishes)
  await pause(SETTLE_MS)
  const fresh = residentMb(gateway.pid)
  const client = await connect(gateway)
  let turns = 0
  const some = async () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      turns += 1
      const params = { message: message(turns), sessionKey: `agent:main:s${turns % SESSIONS}` }
      const answer = await client.call(
        'agent',
        { ...params, idempotencyKey: `turn-${turns}` },
        { onEarly: () => undefined },
      )
      if (answer.status !== 'ok') throw new Error(`turn ${turns} ended as ${answer.status}`)
    }
    await pause(SETTLE_MS)
    return residentMb(gateway.pid)
  }
  const used = await some()
  const usedMore = await some()
  client.close()
  await gateway.stop()
  return { fresh, used, usedMore }
}

/** A Node that has done nothing but start. */
async function bareNode(): Promise<number> {
  const child = spawn(process.execPath, ['-e', "setInterval(() => {}, 1e6); console.log('up')"], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise(resolve => child.stdout.once('data', resolve))
  await pause(SETTLE_MS)
  const mb = residentMb(child.pid as number)
  child.kill()
  return mb
}

export async function measure(): Promise<Figure[]> {
  const launcher = install({ asClone: false })
  const model = await startModel()
  const wire = await weigh({ launcher, stateDir: await folderWithJobs(10), model }, () => 'again')
  const offline = await weigh({ launcher, stateDir: await folderWithJobs(10) }, turn =>
    turn % 2 === 0 ? 'list my reminders' : `remind me at 9 tomorrow to water plant ${turn % 10}`,
  )
  const mb = (name: string, value: number, goal?: number): Figure => ({
    ...{ name, value, unit: 'MB', better: 'lower' },
    ...(goal !== undefined && { goal }),
  })
  return [
    mb('before the first turn', (wire.fresh + offline.fresh) / 2, FRESH_GOAL_MB),
    mb('after 200 turns over the wire', wire.used, USED_GOAL_MB),
    mb('growth by 200 more over the wire', wire.usedMore - wire.used, GROWTH_GOAL_MB),
    mb('after 200 turns of the offline model', offline.used, USED_GOAL_MB),
    mb('growth by 200 more of the offline model', offline.usedMore - offline.used, GROWTH_GOAL_MB),
    mb('bare node', await bareNode()),
  ]
}
