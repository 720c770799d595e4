// `cron.list` with 10 jobs over a WebSocket, beside a bare `ws` server that answers the same bytes from memory. One
// client drives both in turns, keeps 1, 16, 64 or 256 requests in flight and parses every answer, as clients do. The goal is
// judged by that; how the servers compare when the client does as good as nothing is shown beside.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { install, startGateway } from './gateway-process.ts'
import { type Figure, median, rounds, spreadOf } from './measure.ts'
import { folderWithJobs } from './state.ts'

const IN_FLIGHT = [1, 16, 64, 256]
const ROUNDS = 8
const ROUND_MS = 260
const GOAL = 0.7
const REQUEST = JSON.stringify({ type: 'req', id: '7', method: 'cron.list', params: {} })
/** How an answer begins: enough to count it by. */
const ANSWER = '{"type":"res"'

function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** The next answer's text, whatever else the gateway tells. */
function answer(socket: WebSocket, request: string): Promise<string> {
  return new Promise(resolve => {
    const take = (data: { toString(): string }) => {
      const text = data.toString()
      if (JSON.parse(text).type !== 'res') return
      socket.off('message', take)
      resolve(text)
    }
    socket.on('message', take)
    socket.send(request)
  })
}

const CLIENTS = {
  parsing: (data: Buffer) => JSON.parse(data.toString()).type === 'res',
  counting: (data: Buffer) => data.toString('latin1', 0, ANSWER.length) === ANSWER,
}

/** Answers per second with so many requests in flight. */
function drive(socket: WebSocket, inFlight: number, isAnswer: (data: Buffer) => boolean): Promise<number> {
  return new Promise(resolve => {
    let answered = 0
    let open = inFlight
    const began = performance.now()
    const take = (data: Buffer) => {
      if (!isAnswer(data)) return
      answered += 1
      if (performance.now() - began < ROUND_MS) socket.send(REQUEST)
      else open -= 1
      if (open > 0) return
      socket.off('message', take)
      resolve(answered / ((performance.now() - began) / 1_000))
    }
    socket.on('message', take)
    for (let sent = 0; sent < inFlight; sent += 1) socket.send(REQUEST)
  })
}

function told(child: ChildProcess): Promise<{ url: string }> {
  return new Promise(resolve => child.once('message', message => resolve(message as { url: string })))
}

async function compare({ ours, bare }: { ours: WebSocket; bare: WebSocket }, inFlight: number): Promise<Figure[]> {
  const sides = {
    ours: () => drive(ours, inFlight, CLIENTS.parsing),
    bare: () => drive(bare, inFlight, CLIENTS.parsing),
    oursCounted: () => drive(ours, inFlight, CLIENTS.counting),
    bareCounted: () => drive(bare, inFlight, CLIENTS.counting),
  }
  await rounds(1, sides)
  const found = await rounds(ROUNDS, sides)
  const figure = (name: string, samples: number[], extras: Pick<Figure, 'unit' | 'goal'> = { unit: '/s' }): Figure => ({
    ...{ name: `${name}, ${inFlight} in flight`, value: median(samples), better: 'higher', spread: spreadOf(samples) },
    ...extras,
  })
  const ratios = (over: number[], under: number[]) => over.map((rate, round) => rate / (under[round] ?? Number.NaN))
  return [
    figure('cron.list of 10, of bare ws', ratios(found.ours, found.bare), { unit: 'x', goal: GOAL }),
    figure('cron.list of 10', found.ours),
    figure('bare ws', found.bare),
    figure('answers only counted: of bare ws', ratios(found.oursCounted, found.bareCounted), { unit: 'x' }),
  ]
}

export async function measure(): Promise<Figure[]> {
  const launcher = install({ asClone: false })
  const gateway = await startGateway({ launcher, stateDir: await folderWithJobs(10) })
  const ours = await open(gateway.url)
  const client = { id: 'cli', version: 'bench', platform: 'node', mode: 'cli' }
  const scopes = ['operator.admin']
  const connect = { minProtocol: 3, maxProtocol: 3, client, role: 'operator', scopes, auth: { token: gateway.token } }
  await answer(ours, JSON.stringify({ type: 'req', id: '1', method: 'connect', params: connect }))
  const payload = await answer(ours, REQUEST)
  if (!payload.includes('"total":10')) throw new Error(`not a list of 10 jobs: ${payload.slice(0, 200)}`)
  const child = fork(fileURLToPath(new URL('./echo-process.ts', import.meta.url)))
  const bare = await open((await told(child)).url)
  const set = told(child)
  child.send(payload)
  await set
  const figures: Figure[] = []
  for (const inFlight of IN_FLIGHT) figures.push(...(await compare({ ours, bare }, inFlight)))
  figures.push({ name: 'payload', value: payload.length / 1_024, unit: 'KB', better: 'lower' })
  ours.close()
  bare.close()
  child.disconnect()
  await gateway.stop()
  return figures
}
