// A whole turn with two tool calls over a model that answers at once, beside the same calls made by hand: three model
// requests by fetch and the two methods over an open socket. Ours keeps a journal on the way: eleven durable commits.
import { connect, install, startGateway, startModel } from './gateway-process.ts'
import { type Figure, median, percentile, rounds, spreadOf, timed } from './measure.ts'
import { folderWithJobs, jobInput, temporaryFolder } from './state.ts'

const ROUNDS = 150
const WARM_UP_ROUNDS = 20
const GOAL_MS = 15

async function ask(baseUrl: string, messages: object[]): Promise<void> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'one', stream: true, messages }),
  })
  await response.text()
}

export async function measure(): Promise<Figure[]> {
  const model = await startModel()
  const launcher = install({ asClone: false })
  const gateway = await startGateway({ launcher, stateDir: await folderWithJobs(10), model })
  const offline = await startGateway({ launcher, stateDir: temporaryFolder() })
  const client = await connect(gateway)
  const offlineClient = await connect(offline)
  const user = { role: 'user', content: 'go' }
  const done = { role: 'tool', tool_call_id: 'x', content: '{}' }
  let turns = 0
  const turn = async (on: typeof client, message: string) => {
    turns += 1
    const params = { message, sessionKey: `agent:main:s${turns % 20}`, idempotencyKey: `turn-${turns}` }
    const answer = await on.call('agent', params, { onEarly: () => undefined })
    if (answer.status !== 'ok') throw new Error(`a turn ended as ${answer.status}`)
  }
  const sides = {
    turn: () => timed(() => turn(client, 'go')),
    hand: () =>
      timed(async () => {
        turns += 1
        await ask(model.baseUrl, [user])
        await client.call('cron.list', {})
        await ask(model.baseUrl, [user, done])
        await client.call('cron.add', { ...jobInput(turns), idempotencyKey: `hand-${turns}` })
        await ask(model.baseUrl, [user, done, done])
      }),
    commit: () => timed(() => client.call('sessions.reset', { key: `agent:main:c${turns % 20}` })),
    offline: () => timed(() => turn(offlineClient, 'list my reminders')),
  }
  // The list of jobs must not grow under the measurement: what was added is taken away, unmeasured.
  const tidy = async () => {
    const { jobs } = await client.call('cron.list', {})
    for (const job of jobs.slice(0, Math.max(0, jobs.length - 10))) await client.call('cron.remove', { id: job.id })
    return 0
  }
  await rounds(WARM_UP_ROUNDS, { ...sides, tidy })
  const found = await rounds(ROUNDS, { ...sides, tidy })
  const over = found.turn.map((ms, round) => ms - (found.hand[round] ?? 0))
  client.close()
  offlineClient.close()
  await Promise.all([gateway.stop(), offline.stop()])
  const ms = (name: string, value: number, extras: Partial<Figure> = {}): Figure => ({
    ...{ name, value, unit: 'ms', better: 'lower' },
    ...extras,
  })
  return [
    ms('turn with two calls, p50 over the calls by hand', median(over), { goal: GOAL_MS, spread: spreadOf(over) }),
    ms('turn with two calls, p50', median(found.turn), { spread: spreadOf(found.turn) }),
    ms('turn with two calls, p99', percentile(found.turn, 0.99)),
    ms('the same by hand, p50', median(found.hand), { spread: spreadOf(found.hand) }),
    ms('one durable call over the socket, p50', median(found.commit), { spread: spreadOf(found.commit) }),
    ms('turn of the offline model, p50', median(found.offline), { spread: spreadOf(found.offline) }),
  ]
}
