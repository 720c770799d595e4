// A long session through the production rooms: summarised by its model in the turn that would be too long, or because
// somebody asks; whatever becomes of the summary, the turn goes on.
import { rmSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { ModelMessage } from '../../src/providers/model.ts'
import { callId } from '../../src/turns/loop.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import { summaryPrompt } from '../../src/turns/prompt.ts'
import type { Runner } from '../../src/turns/runner.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

// 3,000 characters.
const local = { baseUrl: 'http://127.0.0.1:9/v1', models: [{ id: 'm', contextWindow: 1_000 }] }
const config = { models: { providers: { local } }, agents: { defaults: { model: 'local/m', maxConcurrent: 1 } } }
const KEY = 'agent:main:main'
const LONG = 'x'.repeat(600)

/** Its models say all that they answer first bit by bit. */
function talking(play: Play): Runner {
  return inlineRunner(() => ({
    ref: 'test/model',
    async *stream(request) {
      const answer = await play(request)
      if (answer.type === 'done' && answer.text !== '') yield { type: 'delta', text: answer.text }
      yield answer
    },
  }))
}

const open: House[] = []
async function house(play: Play, options: HouseOptions = {}): Promise<House> {
  const made = await openHouse(play, { config, runner: talking(play), ...options })
  open.push(made)
  return made
}
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

type Ask = Parameters<Play>[0]
const isSummary = (ask: Ask) => ask.system === summaryPrompt()
const lastText = ({ messages }: Ask) => (messages.at(-1) as ModelMessage).text
const say = (one: House, message: string) =>
  one.call('agent', { message, sessionKey: 'main', idempotencyKey: message }) as Promise<object>
const kinds = (one: House, runId: string) =>
  one.store.read.runEntries(runId).map(({ body }) => (body.kind === 'attempt' && body.summary ? 'ask' : body.kind))
const users = (ask: Ask | undefined) =>
  ask?.messages.flatMap(message => (message.role === 'user' ? [message.text.slice(0, 30)] : []))

/** Answers at length, and notes what it was asked. */
function talker(summary: (ask: Ask) => ReturnType<Play> = () => text('the story so far')) {
  const asks: Ask[] = []
  const play: Play = ask => {
    asks.push(ask)
    return isSummary(ask) ? summary(ask) : text(`${LONG} to ${lastText(ask)}`)
  }
  return { asks, play }
}

async function talkedFor(one: House, turns: number): Promise<void> {
  for (let turn = 1; turn <= turns; turn += 1) await say(one, `say ${turn}`)
}

/** Every call that the model is shown has its result, and every result its call. */
function expectPaired(asks: readonly Ask[]): void {
  for (const { messages } of asks) {
    const made = messages.flatMap(message => (message.role === 'assistant' ? message.calls.map(({ id }) => id) : []))
    expect(messages.flatMap(message => (message.role === 'tool' ? [message.callId] : []))).toEqual(made)
  }
}

describe('a session that gets long', () => {
  test('L2: its model summarises the oldest part first, and is shown the summary and the rest from then on', async () => {
    const { asks, play } = talker(() => ({
      ...text('the story so far'),
      type: 'done',
      calls: [],
      text: 'the story so far',
      usage: { inputTokens: 70, outputTokens: 7 },
    }))
    const one = await house(play)
    await talkedFor(one, 5)
    expect(asks.map(isSummary)).toEqual([false, false, false, false, true, false])
    expect(kinds(one, 'say 5')).toEqual(['input', 'ask', 'compaction', 'attempt', 'message', 'end'])
    expect(lastText(asks[4] as Ask)).toMatch(/^User: say 1\nAssistant: x+ to say 1\nUser: say 2/)
    expect(users(asks[5])).toEqual([expect.stringMatching(/^System: what was said before/), 'say 4', 'say 5'])
    expect(asks[5]?.messages[0]?.text).toContain('<summary>\nthe story so far\n</summary>')
    await say(one, 'say 6')
    expect(users(asks[6])).toEqual([expect.stringMatching(/^System: /), 'say 4', 'say 5', 'say 6'])
    // Its tokens are the session's, and nothing of what was said is gone.
    expect(one.store.read.session(KEY)).toMatchObject({ inputTokens: 70, outputTokens: 7 })
    const { messages } = await one.call('chat.history', { sessionKey: 'main' })
    const shown = messages.flatMap(({ role, content }) => (role === 'user' ? [content[0]?.text] : []))
    expect(shown).toEqual([1, 2, 3, 4, 5, 6].map(turn => `say ${turn}`))
    const told = one.events.filter(({ payload }) => (payload as { stream?: string }).stream === 'compaction')
    expect(told.map(({ payload }) => (payload as { data: object }).data)).toEqual([
      { phase: 'start' },
      { phase: 'end', willRetry: false },
    ])
    // Nothing that the summary said was shown as if it were the reply.
    expect(JSON.stringify(one.events)).not.toContain('the story so far')
  })

  test('L2: summaries of summaries: the next one is given the last, and takes its place', async () => {
    const { asks, play } = talker(ask => text(`story ${ask.messages[0]?.text.includes('story 1') ? 2 : 1}`))
    const one = await house(play)
    await talkedFor(one, 9)
    const written = one.store.read.entries(KEY, 500).flatMap(({ body }) => (body.kind === 'compaction' ? [body] : []))
    expect(written.map(({ summary }) => summary).slice(0, 2)).toEqual(['story 1', 'story 2'])
    expect(written[1]?.keptFrom).toBeGreaterThan(written[0]?.keptFrom as number)
    expect(asks.at(-1)?.messages[0]?.text).toContain('story 2')
    expect(asks.at(-1)?.messages[0]?.text).not.toContain('story 1')
  })

  test.each<[string, Play]>([
    ['fails', () => ({ type: 'failed', kind: 'unavailable', message: 'gone' })],
    ['is empty', () => text('  ')],
    ['is as long as what it stands for', () => text('y'.repeat(20_000))],
    ['is no text but a call', () => calls({ name: 'session_status', args: {} })],
  ])(
    'a summary that %s costs only itself: the turn goes on without the oldest, and the log says so',
    async (_, bad) => {
      const { asks, play } = talker(bad)
      const one = await house(play)
      await talkedFor(one, 7)
      expect(one.logged.filter(line => line.includes('was not summarised')).length).toBeGreaterThan(0)
      expect(users(asks.at(-1))).not.toContain('say 1')
      expect(users(asks.at(-1))?.at(-1)).toBe('say 7')
      expect(one.store.read.run('say 7')).toMatchObject({ state: 'ok', reply: expect.stringMatching(/to say 7$/) })
      expect(one.store.read.entries(KEY, 500).some(({ body }) => body.kind === 'compaction')).toBe(false)
    },
  )

  test('L2: a runner that dies of each summary takes no turn with it', async () => {
    const { asks, play } = talker()
    const inner = talking(play)
    let lost = 0
    const one = await house(play, {
      runner: {
        ...inner,
        run: async (task, link, signal) => {
          if (task.system !== summaryPrompt()) return inner.run(task, link, signal)
          await link.attempt('test/model')
          lost += 1
          throw new SluiceError('UNAVAILABLE', 'the thread was lost')
        },
      },
    })
    await talkedFor(one, 5)
    expect(lost).toBe(2)
    expect(kinds(one, 'say 5')).toEqual(['input', 'ask', 'ask', 'attempt', 'message', 'end'])
    expect(one.store.read.run('say 5')).toMatchObject({ state: 'ok', losses: 2 })
    expect(users(asks.at(-1))?.at(-1)).toBe('say 5')
  })

  test('L2: killed between any two commits, it goes on: each message is answered once, in pairs', async () => {
    // The number of requests to the model is the place of the kill: within a summary, a step, or a call.
    for (let killAt = 4; killAt <= 9; killAt += 1) {
      const asks: Ask[] = []
      const begun = Promise.withResolvers<void>()
      const answer: Play = ask => {
        if (isSummary(ask)) return text('the story so far')
        return ask.messages.at(-1)?.role === 'user' ? calls({ name: 'session_status', args: {} }) : text(`${LONG} done`)
      }
      const first = await openHouse(
        ask => {
          asks.push(ask)
          if (asks.length === killAt) begun.resolve()
          return asks.length >= killAt ? new Promise(() => undefined) : answer(ask)
        },
        { config },
      )
      for (let turn = 1; turn <= 6; turn += 1) void say(first, `say ${turn}`).catch(() => undefined)
      await begun.promise
      await first.leave()
      const second = await openHouse(
        ask => {
          asks.push(ask)
          return answer(ask)
        },
        { config, folder: first.folder },
      )
      for (let turn = 1; turn <= 6; turn += 1) await second.call('agent.wait', { runId: `say ${turn}` })
      expectPaired(asks)
      const entries = second.store.read.entries(KEY, 500)
      const of = (kind: string) => entries.filter(({ body }) => body.kind === kind)
      expect([of('input').length, of('end').length]).toEqual([6, 6])
      expect(of('compaction').length).toBeGreaterThan(0)
      const answered = entries.flatMap(({ body }) =>
        body.kind === 'result' ? [callId(body.message, body.ordinal)] : [],
      )
      expect([answered.length, new Set(answered).size]).toEqual([6, 6])
      await second.leave()
      rmSync(first.folder, { recursive: true, force: true })
    }
  })

  test('what a person writes during a summary joins the turn after it; a turn that only summarises takes nothing in', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { asks, play } = talker(async () => {
      await gates[asks.filter(isSummary).length - 1]?.promise
      return text('the story so far')
    })
    const one = await house(play)
    const write = (key: string) =>
      one.call('chat.send', { sessionKey: 'main', message: key, idempotencyKey: key }).then(() => settled())
    await talkedFor(one, 4)
    const running = say(one, 'say 5')
    await settled()
    await write('and this')
    gates[0]?.resolve()
    await running
    expect(kinds(one, 'say 5')).toEqual(['input', 'ask', 'compaction', 'attempt', 'input', 'message', 'end'])
    expect(users(asks.at(-1))?.slice(-2)).toEqual(['say 5', 'and this'])
    const asked = one.call('sessions.compact', { key: 'main', maxLines: 1 })
    await settled()
    await write('later')
    gates[1]?.resolve()
    expect(kinds(one, (await asked).runId as string)).toEqual(['input', 'ask', 'compaction', 'end'])
    expect(await one.call('agent.wait', { runId: 'later' })).toMatchObject({ status: 'ok' })
    expect(kinds(one, 'later')).toEqual(['input', 'attempt', 'message', 'end'])
  })

  test('the offline model writes no summaries; what is too long is left out', async () => {
    const one = await house(ask => text(isSummary(ask) ? 'never' : 'y'.repeat(60_000)), { config: {} })
    await talkedFor(one, 6)
    expect(one.logged.at(-1)).toMatch(/was not summarised/)
    expect(kinds(one, 'say 6')).toEqual(['input', 'attempt', 'message', 'end'])
  })

  test('a stop in the midst of a summary ends the turn, and writes none', async () => {
    const { play } = talker(
      ({ signal }) =>
        new Promise(resolve => {
          const aborted = { type: 'failed', kind: 'aborted', message: 'stopped' } as const
          signal.addEventListener('abort', () => resolve(aborted), { once: true })
        }),
    )
    const one = await house(play)
    await talkedFor(one, 4)
    const ended = say(one, 'say 5').catch((error: SluiceError) => error)
    await settled()
    expect(await one.call('chat.abort', { sessionKey: 'main' })).toMatchObject({ aborted: true })
    expect(await ended).toMatchObject({ details: { state: 'aborted' } })
    expect(kinds(one, 'say 5')).toEqual(['input', 'ask', 'end'])
  })
})

describe('a model that takes less than was thought', () => {
  const tooLong = { type: 'failed', kind: 'too-long', message: 'The conversation is too long.' } as const
  /** Takes two answers at once and no more. */
  const narrow: Play = ask => {
    if (isSummary(ask)) return text('in short')
    return JSON.stringify(ask.messages).length > 1_200 ? tooLong : text(`${LONG} to ${lastText(ask)}`)
  }

  test('its refusal leads to one summary and one more try, of which nobody hears', async () => {
    const one = await house(narrow)
    await talkedFor(one, 3)
    expect(kinds(one, 'say 3')).toEqual(['input', 'attempt', 'ask', 'compaction', 'attempt', 'message', 'end'])
    expect(one.store.read.run('say 3')).toMatchObject({ state: 'ok', attempt: 1 })
  })

  test('where that does not help either, the turn ends with its words', async () => {
    const one = await house(ask => {
      if (isSummary(ask)) return text('in short')
      return ask.messages.length === 1 ? text(LONG) : tooLong
    })
    await say(one, 'say 1')
    await expect(say(one, 'say 2')).rejects.toMatchObject({ message: 'The conversation is too long.' })
    expect(kinds(one, 'say 2').filter(kind => kind === 'attempt')).toHaveLength(2)
  })

  test('one message that is too long by itself is not tried again', async () => {
    const one = await house(() => tooLong)
    await expect(say(one, 'say 1')).rejects.toMatchObject({ message: 'The conversation is too long.' })
    expect(kinds(one, 'say 1')).toEqual(['input', 'attempt', 'end'])
  })

  test('nothing is tried again once text was shown', async () => {
    let asked = 0
    const runner = inlineRunner(() => ({
      ref: 'test/model',
      async *stream({ system, messages }) {
        if (system === summaryPrompt()) asked += 1
        yield { type: 'delta', text: 'so' }
        if (messages.length > 1) yield tooLong
        else yield { type: 'done', text: LONG, calls: [] }
      },
    }))
    const one = await house(() => text(''), { runner })
    await say(one, 'say 1')
    await expect(say(one, 'say 2')).rejects.toMatchObject({ message: 'The conversation is too long.' })
    expect([asked, kinds(one, 'say 2')]).toEqual([0, ['input', 'attempt', 'end']])
  })
})

describe('sessions.compact', () => {
  test('is a turn of the session that shows nobody its request; what it stands for is still there', async () => {
    const { asks, play } = talker()
    const one = await house(play)
    await talkedFor(one, 3)
    const done = await one.call('sessions.compact', { key: 'main', maxLines: 5 })
    expect(done).toMatchObject({ ok: true, key: KEY, compacted: true, kept: 5, summarised: 8 })
    expect(kinds(one, done.runId as string)).toEqual(['input', 'ask', 'compaction', 'end'])
    await say(one, 'say 4')
    expect(users(asks.at(-1))).toEqual([expect.stringMatching(/^System: /), 'say 3', 'say 4'])
    const again = await one.call('sessions.compact', { key: 'main', maxLines: 50 })
    expect(again).toMatchObject({ compacted: false })
    expect(again.reason).toBeUndefined()
  })

  test('what has nothing to summarise says so, and a summary that fails says why', async () => {
    const one = await house(ask => (isSummary(ask) ? { type: 'failed', kind: 'auth', message: 'no key' } : text(LONG)))
    const compact = (params: object = {}) => one.call('sessions.compact', { key: 'main', ...params })
    expect(await compact()).toEqual({ ok: true, key: KEY, compacted: false, reason: 'no sessionId' })
    await one.call('sessions.reset', { key: 'main' })
    expect(await compact()).toEqual({ ok: true, key: KEY, compacted: false, reason: 'no transcript' })
    await talkedFor(one, 2)
    expect(await compact()).toMatchObject({ compacted: false, kept: 8 + 2 })
    expect(await compact({ maxLines: 2 })).toMatchObject({ compacted: false, reason: 'no key' })
  })

  test('W6: it waits in the lane behind the turn that runs; its wait ends at its bound, the summary comes all the same', async () => {
    const gate = Promise.withResolvers<void>()
    const { play } = talker()
    const one = await house(async ask => {
      if (lastText(ask) === 'say 3') await gate.promise
      return play(ask)
    })
    await talkedFor(one, 2)
    const running = say(one, 'say 3')
    await settled()
    const asked = await one.call('sessions.compact', { key: 'main', maxLines: 1, waitSeconds: 0 })
    expect(asked).toMatchObject({ compacted: false, reason: 'still running' })
    gate.resolve()
    await running
    expect(await one.call('agent.wait', { runId: asked.runId as string })).toMatchObject({ status: 'ok' })
    expect(kinds(one, asked.runId as string)).toContain('compaction')
  })

  test('W4: a turn that asks it of its own session is refused at once, by name', async () => {
    const refused = Promise.withResolvers<unknown>()
    const one = await house(async () => {
      const run = one.store.read.run('say 1')
      const standing = { node: 'run:say 1' }
      const turn = { runId: 'say 1', sessionKey: KEY, agentId: run?.agentId ?? '', hops: 0, callId: '1:0', standing }
      const caller = { principal: `session:${KEY}`, label: 'turn', scopes: new Set(['operator.admin'] as const), turn }
      await one.dispatcher
        .call('sessions.compact', { key: 'main' }, { caller: caller as never, early: () => undefined })
        .then(refused.resolve, refused.resolve)
      return text('so')
    })
    await say(one, 'say 1')
    expect(await refused.promise).toMatchObject({ code: 'WOULD_DEADLOCK', outcome: 'not-started' })
    expect(one.store.read.entries(KEY, 100).filter(({ body }) => body.kind === 'input')).toHaveLength(1)
  })

  test('L2: killed before its end was written, it does not summarise again', async () => {
    const { asks, play } = talker()
    const clock = new FakeClock()
    const first = await openHouse(play, { config, clock })
    await talkedFor(first, 3)
    const summaries = () => asks.filter(isSummary).length
    const fence = async () => {
      const run = {
        runId: 'c',
        sessionKey: KEY,
        echoKey: 'main',
        agentId: 'main',
        text: '/compact 1',
        source: 'compact',
      }
      await first.store.write.acceptMessage({ run: run as never, nowMs: clock.now() })
      const { value } = await first.store.write.claimRun({ ...at(first), runId: 'c', events: [] })
      return { runId: 'c', epoch: first.store.epoch, attempt: value?.attempt as number }
    }
    const at = (one: House) => ({ epoch: one.store.epoch, nowMs: clock.now() })
    const entry = { kind: 'compaction', summary: 'kept', keptFrom: 9, summarised: 8, kept: 5, model: 'm' } as const
    await first.store.write.appendEntries({ fence: await fence(), entries: [entry], nowMs: clock.now(), events: [] })
    await first.leave()
    const second = await openHouse(play, { config, clock, folder: first.folder })
    expect(await second.call('agent.wait', { runId: 'c' })).toMatchObject({ status: 'ok' })
    expect([summaries(), kinds(second, 'c')]).toEqual([0, ['input', 'compaction', 'end']])
    await second.leave()
    rmSync(first.folder, { recursive: true, force: true })
  })
})
