// The figures of a house that is busy, read in place: each name is documented, each line has the format's form, and each
// figure is the one that the gateway's own parts have.
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import { Slots } from '../../src/coordination/slots.ts'
import { metricsText } from '../../src/methods/metrics.ts'
import type { Result } from '../../src/protocol/catalogue.ts'
import { settled } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'

const GUIDE = readFileSync(new URL('../../docs/guides/metrics.md', import.meta.url), 'utf8')
const DOCUMENTED = [...GUIDE.matchAll(/^\| `(sluice_\w+)` \| (\w+) \|(.*?)\|/gm)].map(([, name, type, labels]) => ({
  name: name as string,
  type: type as string,
  labels: [...(labels ?? '').replaceAll(/\(.*?\)/g, '').matchAll(/`(\w+)`/g)].map(([, label]) => label as string),
}))

/** One sample line of the format; a label's value has no bare quote, line feed or backslash. */
const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/

interface Family {
  readonly type: string
  readonly samples: Map<string, number>
}

/** What a scraper reads; throws at a line that is not of the format. */
function scrape(exposed: string): Map<string, Family> {
  const families = new Map<string, Family>()
  expect(exposed.endsWith('\n')).toBe(true)
  let current = { name: '', type: '', samples: new Map<string, number>() }
  for (const line of exposed.trimEnd().split('\n')) {
    const [, name = '', type = ''] = /^# TYPE (\w+) (counter|gauge|summary)$/.exec(line) ?? []
    if (name !== '') {
      current = { name, type, samples: new Map() }
      families.set(name, current)
    }
    if (line.startsWith('#')) {
      expect(line).toMatch(/^# (TYPE|HELP [a-z_]+ [^\\\n]+$)/)
      continue
    }
    const match = SAMPLE.exec(line)
    if (!match) throw new Error(`not a sample: ${line}`)
    const suffix = (match[1] as string).slice(current.name.length)
    expect(current.type === 'summary' ? ['', '_sum', '_count'] : [''], line).toContain(suffix)
    const id = `${suffix}{${match[2] ?? ''}}`
    expect(current.samples.has(id), `twice: ${line}`).toBe(false)
    current.samples.set(id, Number(match[3]))
  }
  return families
}

const labelsOf = ({ samples }: Family) =>
  new Set([...samples.keys()].flatMap(id => [...id.matchAll(/(\w+)="/g)].map(([, label]) => label)))

/** With one slot: 50 chats, the first held at its model, two in its session, and 50 calls that wait for turns. */
async function openBusyHouse() {
  const model = Promise.withResolvers<void>()
  const channel = loopback({ id: 'telegram', dedupesSends: false })
  const house = await openHouse(() => model.promise.then(() => text('done')), {
    config: {
      agents: { defaults: { maxConcurrent: 1 } },
      messages: { queue: { mode: 'followup' } },
      channels: { telegram: { botToken: '1:token', dmPolicy: 'disabled' } },
    },
    channels: [channel],
  })
  await channel.say({ messageId: 'm', chatId: '1', from: { id: '1' }, text: 'hello', atMs: 0 })
  const waits: Promise<unknown>[] = []
  for (let n = 0; n < 50; n += 1) {
    const runId = `r${n}`
    await house.call('chat.send', { sessionKey: `s${Math.max(0, n - 2)}`, message: 'hi', idempotencyKey: runId })
    waits.push(house.call('agent.wait', { runId, timeoutMs: 3_600_000 }))
  }
  await house.call('cron.remove', { id: 'none' }).catch(() => undefined)
  await house.call('chat.abort', {}).catch(() => undefined)
  await settled()
  return { house, open: () => model.resolve(), waits }
}

describe('the figures while 50 calls wait', () => {
  let house: House
  let families: Map<string, Family>
  let status: Result<'status'>
  let end: () => Promise<void>

  beforeAll(async () => {
    const busy = await openBusyHouse()
    house = busy.house
    status = await house.call('status')
    families = scrape(metricsText(house.parts))
    end = async () => {
      busy.open()
      await Promise.all(busy.waits)
      await house.close()
    }
  })
  afterAll(() => end())

  const figure = (name: string, labels = '') => families.get(name)?.samples.get(`{${labels}}`)

  test('every name, type and label of docs/guides/metrics.md is there, with a figure, and no other', () => {
    const found = [...families].map(([name, family]) => ({ name, type: family.type, labels: labelsOf(family) }))
    const documented = DOCUMENTED.map(each => ({ ...each, labels: new Set(each.labels) }))
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)
    expect(found.sort(byName)).toEqual(documented.sort(byName))
    expect([...families].filter(([, { samples }]) => samples.size === 0)).toEqual([])
  })

  test('W3, W7: they are read while every slot is taken, and show it', () => {
    expect(figure('sluice_runs', 'state="running"')).toBe(1)
    expect(figure('sluice_runs', 'state="queued"')).toBe(49)
    expect(figure('sluice_slots_limit', 'pool="turns"')).toBe(1)
    expect(figure('sluice_slots_taken', 'pool="turns"')).toBe(1)
    expect(figure('sluice_slots_waiting', 'pool="turns"')).toBe(47)
    expect(figure('sluice_lanes_held')).toBe(48)
    expect(figure('sluice_lanes_waiting')).toBe(2)
    expect(figure('sluice_waits')).toBe(house.parts.graph.list().length)
  })

  test('calls that wait still are not counted yet; those that ended are, with their errors', () => {
    expect(families.get('sluice_method_work_seconds')?.samples.get('_count{method="chat.send"}')).toBe(50)
    expect(families.get('sluice_method_work_seconds')?.samples.has('_count{method="agent.wait"}')).toBe(false)
    expect(figure('sluice_method_errors_total', 'method="chat.abort",code="INVALID_REQUEST"')).toBe(1)
  })

  test('`status` says the same, and keeps the fields that clients read', () => {
    expect(status.runs).toEqual({ running: 1, queued: 49, parked: 0, slots: 1 })
    expect(status.lanes).toEqual({ held: 48, waiting: 2 })
    expect(status.pools).toContainEqual({ name: 'turns', limit: 1, taken: 1, waiting: 47 })
    expect(status.refused).toEqual({ WOULD_DEADLOCK: 0, BUSY: 0, LIMIT: 0 })
    expect(status.released).toEqual({ count: 0 })
    expect(status.slowest.map(({ method }) => method).sort()).toEqual(['chat.abort', 'chat.send', 'cron.remove'])
  })
})

describe('what is handed on', () => {
  let house: House
  beforeEach(async () => {
    house = await openHouse(() => text('done'))
  })
  afterEach(() => house.close())

  test('the five slowest methods by p99, slowest first; refusals by the graph and by the calls’ errors', async () => {
    const { counts, graph } = house.parts
    const spansMs = { 'cron.list': 3, 'cron.add': 50, 'chat.send': 400, agent: 7, health: 1, 'cron.run': 20 } as const
    for (const [method, ms] of Object.entries(spansMs)) counts.add(method as keyof typeof spansMs, ms, undefined)
    counts.add('chat.send', 1, 'BUSY')
    counts.add('cron.add', 1, 'LIMIT')
    graph.add({ waiter: 'run:a', target: 'run:b', sinceMs: 0 })
    expect(() => graph.add({ waiter: 'run:b', target: 'run:a', sinceMs: 0 })).toThrow('wait for itself')
    const { slowest, refused, waits } = await house.call('status')
    expect(slowest.map(({ method }) => method)).toEqual(['chat.send', 'cron.add', 'cron.run', 'agent', 'cron.list'])
    expect(slowest[0]).toMatchObject({ calls: 2, errors: 1 })
    expect(refused).toEqual({ WOULD_DEADLOCK: 1, BUSY: 1, LIMIT: 1 })
    expect(waits).toHaveLength(1)
  })

  test('each figure has its own source, in seconds and bytes', () => {
    const { parts, clock } = house
    const released = { value: { count: 3, last: { runId: 'r', atMs: 1 } } }
    const pendingApprovalCount = { value: () => 4 }
    const families = scrape(
      metricsText({
        ...parts,
        engine: Object.create(parts.engine, { released, runningCount: { value: 0 } }),
        store: { ...parts.store, epoch: 42, read: Object.create(parts.store.read, { pendingApprovalCount }) },
        connections: () => 7,
        facts: {
          ...parts.facts,
          version: '1.2.3',
          startedAtMs: clock.now() - 90_500,
          memoryBytes: () => 12_345,
          loopDelayMs: () => ({ p50: 0.5, p99: 12, max: 1_500 }),
        },
      }),
    )
    const figures = (name: string) => Object.fromEntries(families.get(name)?.samples ?? [])
    expect(figures('sluice_info')).toEqual({ '{version="1.2.3"}': 1 })
    expect(figures('sluice_epoch')).toEqual({ '{}': 42 })
    expect(figures('sluice_uptime_seconds')).toEqual({ '{}': 90.5 })
    expect(figures('sluice_memory_bytes')).toEqual({ '{}': 12_345 })
    expect(figures('sluice_connections')).toEqual({ '{}': 7 })
    expect(figures('sluice_turns_released_total')).toEqual({ '{}': 3 })
    expect(figures('sluice_approvals_pending')).toEqual({ '{}': 4 })
    expect(figures('sluice_loop_delay_seconds')).toEqual({
      '{quantile="0.5"}': 0.0005,
      '{quantile="0.99"}': 0.012,
      '{quantile="1"}': 1.5,
    })
  })

  test('a label keeps its value whatever it has in it', () => {
    const slots = new Slots({ 'provider:a"b\\c\nd': 2 })
    const exposed = metricsText({ ...house.parts, slots })
    expect(exposed).toContain('sluice_slots_limit{pool="provider:a\\"b\\\\c\\nd"} 2\n')
    expect(() => scrape(exposed)).not.toThrow()
  })
})
