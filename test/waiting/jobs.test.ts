// The shapes in which a scheduler waits on its own jobs: one lock for the store and the turn, a job that waits for the
// session that waits for the job, a run that is only answered at its end.
import { expect, test } from 'vitest'
import { agentJob, heldJob, jobSession } from '../e2e/jobs.ts'
import { Gate, resultOf } from '../e2e/scripted-model.ts'
import { atEachLimit, cron, type House } from './house.ts'

const dueNow = () => ({ kind: 'at', atMs: Date.now() }) as const

/** An input for the main session, due at once. */
const eventJob = (text: string) => ({
  name: `event ${text}`,
  schedule: dueNow(),
  payload: { kind: 'systemEvent', text } as const,
  sessionTarget: 'main' as const,
  wakeMode: 'now' as const,
  enabled: true,
})

const jobIdIn = (user: string) => String(/\[cron:(\S+) /.exec(user)?.[1])

async function ledger({ client }: House, jobId: string) {
  return (await client.call('cron.runs', { jobId })).entries
}

atEachLimit(house => {
  test('WAIT-02 W1 W2: the own turn of a job lists, adds, changes, runs and removes its job', async () => {
    // The ledger keeps only the beginning of a reply.
    let results: ReturnType<typeof resultOf>[] = []
    const self = await heldJob(house, 'asks about jobs', [
      ({ user }) => {
        const jobId = jobIdIn(user)
        const actions = [
          { action: 'status' },
          { action: 'list' },
          { action: 'add', job: agentJob(`made by a job, ${house.limit}`) },
          { action: 'run', jobId },
          { action: 'runs', jobId },
          { action: 'update', jobId, patch: { name: 'changed by itself' } },
          { action: 'remove', jobId },
        ]
        return { calls: actions.map(args => ({ name: 'cron', args })) }
      },
      ask => {
        results = ask.results.map((_, index) => resultOf(ask, index))
        return { text: 'asked' }
      },
    ])
    self.gate.open()
    expect(await self.ended()).toMatchObject({ status: 'ok', summary: 'asked' })
    const [told, list, added, ran, runs, updated, removed] = results
    expect(told).toMatchObject({ enabled: true })
    expect(list).toMatchObject({ jobs: expect.arrayContaining([expect.objectContaining({ id: self.job.id })]) })
    expect(added).toMatchObject({ madeBy: { kind: 'agent', sessionKey: jobSession(self.job) } })
    expect(ran).toMatchObject({ ok: true, ran: false, reason: 'already-running' })
    expect(runs).toEqual({ entries: [] })
    expect(updated).toMatchObject({ id: self.job.id, name: 'changed by itself' })
    expect(removed).toEqual({ ok: true, removed: true })
  })

  test('WAIT-03 W2 W3: while the turn of a job is held, everything about jobs is answered outside', async () => {
    const { client } = house
    const { job, gate, ended } = await heldJob(house, 'slow')
    const other = await client.call('cron.add', agentJob('added meanwhile'))
    const { jobs } = await client.call('cron.list', {})
    expect(jobs.find(({ id }) => id === job.id)?.state.runningAtMs).toEqual(expect.any(Number))
    expect(jobs.map(({ id }) => id)).toContain(other.id)
    expect(await client.call('cron.status', {})).toMatchObject({ enabled: true })
    expect((await client.call('cron.next', { jobId: other.id })).times).toHaveLength(3)
    expect(await ledger(house, job.id)).toEqual([])
    expect((await client.call('cron.update', { jobId: job.id, patch: { name: 'renamed' } })).name).toBe('renamed')
    expect(await client.call('cron.run', { jobId: job.id, mode: 'force' })).toMatchObject({
      ran: false,
      reason: 'already-running',
    })
    expect(await client.call('cron.remove', { jobId: other.id })).toEqual({ ok: true, removed: true })
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await ended()).toMatchObject({ status: 'ok', summary: 'done' })
  })

  test('WAIT-04 W2 W4: a job for a session that talks does not wait for it, and its event comes next', async () => {
    const { client, model } = house
    const gate = await house.heldTurn('main', 'talk', [
      () => {
        const add = { action: 'add', job: agentJob('added in the talk') }
        const actions = [{ action: 'list' }, add, { action: 'run', jobId: event.id }]
        return { calls: actions.map(args => ({ name: 'cron', args })) }
      },
      ask => ({ text: JSON.stringify(ask.results.map((_, index) => resultOf(ask, index))) }),
      ask => ({ text: `heard: ${ask.user}` }),
    ])
    const event = await client.call('cron.add', eventJob('the kettle boils'))
    await client.events.cron(event.id, 'started')
    expect(await client.call('cron.run', { jobId: event.id, mode: 'force' })).toMatchObject({
      ran: false,
      reason: 'already-running',
    })
    expect((await client.call('cron.list', {})).jobs.map(({ id }) => id)).toContain(event.id)
    expect(gate.isOpen).toBe(false)
    gate.open()
    const [list, added, ran] = JSON.parse(await house.reply('talk'))
    expect([list.total > 0, added.name]).toEqual([true, 'added in the talk'])
    expect(ran).toMatchObject({ ok: true, ran: false, reason: 'already-running' })
    expect(await client.events.cron(event.id, 'finished')).toMatchObject({ status: 'ok' })
    const asks = model.asks('agent:main:main')
    expect(asks.map(ask => ask.user.includes('the kettle boils'))).toEqual([false, false, true])
    // The next talk in this file begins with a transcript of its own.
    await client.call('sessions.reset', { key: 'main' })
  })

  test('WAIT-05 W2 W6: cron.run is answered once the run is claimed, to a turn and outside', async () => {
    const { client, model } = house
    const job = await client.call('cron.add', agentJob('run by a turn'))
    const gate = new Gate()
    model.script(jobSession(job), gate.hold({ text: 'ran' }))
    model.script('agent:main:runner', cron({ action: 'run', jobId: job.id }), ask => ({ text: `${ask.results[0]}` }))
    await house.chat('runner', 'run it', `runner-${house.limit}`)
    const claimed = JSON.parse(await house.reply(`runner-${house.limit}`))
    expect(claimed).toMatchObject({ ok: true, ran: true, runId: expect.any(String) })
    await gate.reached
    const again = await client.call('cron.run', { jobId: job.id, mode: 'force' })
    expect(again).toMatchObject({ ran: false, reason: 'already-running', runId: claimed.runId })
    const waited = await client.call('cron.run', { jobId: job.id, mode: 'force', wait: true, timeoutMs: 1 })
    expect(waited).toMatchObject({ runId: claimed.runId, status: 'timeout' })
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply(claimed.runId)).toBe('ran')
    expect(model.asks(jobSession(job))).toHaveLength(1)
  })

  test('WAIT-06 W2: while one job is slow, others fall due and are claimed, and its own instants are accounted for', async () => {
    const { client, model } = house
    const schedule = { kind: 'every', everyMs: 1_000, anchorMs: Date.now() } as const
    const slow = await client.call('cron.add', { ...agentJob('slow and often'), schedule })
    const gate = new Gate()
    model.script(jobSession(slow), gate.hold({ text: 'at last' }))
    await gate.reached
    const text = { kind: 'message', text: `tea at ${house.limit}` } as const
    const told = await client.call('cron.add', { ...agentJob('tells'), payload: text, schedule: dueNow() })
    expect(await client.events.cron(told.id, 'finished')).toMatchObject({ status: 'ok' })
    const turn = await client.call('cron.add', { ...agentJob('a turn'), schedule: dueNow() })
    model.script(jobSession(turn), { text: 'quick' })
    await client.events.cron(turn.id, 'started')
    if (house.limit > 1) expect(await client.events.cron(turn.id, 'finished')).toMatchObject({ summary: 'quick' })
    await client.events.until('an instant that is skipped', ({ event, payload }) => {
      const { jobId, status } = payload as { jobId?: string; status?: string }
      return event === 'cron' && jobId === slow.id && status === 'skipped'
    })
    expect(gate.isOpen).toBe(false)
    const runId = (await client.call('sessions.status', { key: jobSession(slow) })).runs[0]?.runId
    await client.call('cron.update', { jobId: slow.id, patch: { enabled: false } })
    gate.open()
    expect(await house.reply(String(runId))).toBe('at last')
    expect(await client.events.cron(turn.id, 'finished')).toMatchObject({ summary: 'quick' })
    const states = (await ledger(house, slow.id)).map(({ state }) => state)
    expect([...new Set(states)].sort()).toEqual(['ok', 'skipped'])
    expect(states.filter(state => state === 'ok')).toHaveLength(1)
  })

  test('WAIT-07 W7: a job that runs is stopped at once, and its ledger says so', async () => {
    const { client } = house
    const { job, gate, ended } = await heldJob(house, 'to be stopped')
    const stopped = await client.call('chat.abort', { sessionKey: jobSession(job) })
    expect(stopped).toMatchObject({ aborted: true, runIds: [expect.any(String)] })
    expect(await ended()).toMatchObject({ status: 'error' })
    expect(gate.isOpen).toBe(false)
    expect(await ledger(house, job.id)).toMatchObject([{ state: 'cancelled' }])
    gate.open()
  })

  test('WAIT-08 W2: a turn from one door and a job from another take no locks in opposite orders', async () => {
    const { client, model } = house
    const gate = await house.heldTurn('door', 'door', [
      cron({ action: 'list' }),
      cron({ action: 'add', job: agentJob('made at the door') }),
      ask => ({ text: `${resultOf(ask, 1).name}, errors: ${ask.results.some(text => 'error' in JSON.parse(text))}` }),
    ])
    const job = await client.call('cron.add', { ...agentJob('one line'), schedule: dueNow() })
    model.script(jobSession(job), cron({ action: 'list' }), ask => ({ text: `saw ${resultOf(ask, 0).total} jobs` }))
    await client.events.cron(job.id, 'started')
    if (house.limit > 1) expect(await client.events.cron(job.id, 'finished')).toMatchObject({ status: 'ok' })
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('door')).toBe('made at the door, errors: false')
    expect(await client.events.cron(job.id, 'finished')).toMatchObject({
      status: 'ok',
      summary: expect.stringMatching(/^saw \d+ jobs$/),
    })
  })
})
