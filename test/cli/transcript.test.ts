import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Mark, Transcript, toolLabel } from '../../src/cli/chat/transcript.ts'
import type { GatewayEvent } from '../../src/client/client.ts'

const KEY = 'agent:main:main'
const agent = (runId: string, stream: string, data: object) =>
  ({ event: 'agent', payload: { runId, seq: 1, ts: 5, sessionKey: KEY, stream, data } }) as unknown as GatewayEvent
const inSession = (sessionKey: string) =>
  ({
    event: 'agent',
    payload: { ...agent('r', 'assistant', said('x')).payload, sessionKey },
  }) as unknown as GatewayEvent
const chat = (runId: string, state: string, more: object = {}) =>
  ({ event: 'chat', payload: { runId, seq: 1, sessionKey: KEY, state, ...more } }) as unknown as GatewayEvent
const message = (text: string) => ({ message: { role: 'assistant', content: [{ type: 'text', text }], timestamp: 9 } })
const said = (text: string) => ({ text, delta: 'x' })

function marks(events: readonly GatewayEvent[]): Mark[] {
  const transcript = new Transcript([KEY, 'main'])
  return events.flatMap(event => transcript.hear(event))
}
const seen = (events: readonly GatewayEvent[]) =>
  marks(events)
    .map(mark => (mark.kind === 'append' ? mark.text : mark.kind === 'break' ? '|' : ''))
    .join('')

describe('what is seen of a run', () => {
  test('a text that streams and then is final is seen once', () => {
    const events = [
      agent('r', 'lifecycle', { phase: 'start' }),
      agent('r', 'assistant', said('Hel')),
      agent('r', 'assistant', said('Hello')),
      chat('r', 'delta', message('Hello')),
      agent('r', 'lifecycle', { phase: 'end' }),
      chat('r', 'final', message('Hello')),
    ]
    expect(seen(events)).toBe('Hello|')
  })

  test('what was missed is made good by what comes later', () => {
    expect(seen([agent('r', 'assistant', said('He')), chat('r', 'final', message('Hello'))])).toBe('Hello|')
    expect(seen([chat('r', 'final', message('Hello'))])).toBe('Hello|')
    expect(
      seen([
        chat('r', 'delta', message('He')),
        chat('r', 'delta', message('Hello')),
        chat('r', 'final', message('Hello')),
      ]),
    ).toBe('Hello|')
  })

  test('two messages around a tool, final joined or last only', () => {
    const start = [
      agent('r', 'assistant', said('Look.')),
      agent('r', 'tool', { phase: 'start', name: 'cron', toolCallId: 'c', args: { action: 'list' } }),
      agent('r', 'tool', { phase: 'result', name: 'cron', toolCallId: 'c', isError: false }),
      agent('r', 'assistant', said('Two.')),
    ]
    expect(seen([...start, chat('r', 'final', message('Two.'))])).toBe('Look.|Two.|')
    expect(seen([...start, chat('r', 'final', message('Look.\n\nTwo.'))])).toBe('Look.|Two.|')
    expect(marks(start).filter(mark => mark.kind.startsWith('tool'))).toEqual([
      { kind: 'tool-start', callId: 'c', label: 'cron list' },
      { kind: 'tool-end', callId: 'c', label: 'cron list', isError: false },
    ])
  })

  test('a run that is gone on with is one run: its new stream begins anew, and what was said is seen once', () => {
    const lost = [
      agent('r', 'assistant', said('Look.')),
      agent('r', 'tool', { phase: 'start', name: 'x', toolCallId: 'c', args: {} }),
      agent('r', 'tool', { phase: 'result', name: 'x', toolCallId: 'c', isError: false }),
      agent('r', 'assistant', said('Tw')),
      agent('r', 'lifecycle', { phase: 'end', aborted: true }),
      chat('r', 'aborted', { stopReason: 'stop', resumedAs: 'r~2' }),
    ]
    const rest = [agent('r~2', 'lifecycle', { phase: 'start' }), agent('r~2', 'assistant', said('Two.'))]
    const all = [...lost, ...rest, chat('r~2', 'final', message('Look.\n\nTwo.'))]
    expect(seen(all)).toBe('Look.|Tw|Two.|')
    expect(marks(all).filter(mark => mark.kind === 'begin' || mark.kind === 'ended')).toEqual([
      { kind: 'begin', runId: 'r' },
      { kind: 'ended', runId: 'r', how: 'ok' },
    ])
  })

  test('ends are told once, open tools with them', () => {
    const events = [
      agent('r', 'tool', { phase: 'start', name: 'x', toolCallId: 'c', args: {} }),
      chat('r', 'aborted', { stopReason: 'rpc' }),
      agent('r', 'lifecycle', { phase: 'end' }),
      chat('r', 'final'),
    ]
    expect(marks(events).filter(mark => mark.kind === 'tool-end' || mark.kind === 'ended')).toEqual([
      { kind: 'tool-end', callId: 'c', label: 'x', isError: true },
      { kind: 'ended', runId: 'r', how: 'stopped', note: 'stopped' },
    ])
    const failed = [
      agent('r', 'lifecycle', { phase: 'error', error: 'no' }),
      chat('r', 'error', { errorMessage: 'no' }),
    ]
    expect(marks(failed).filter(mark => mark.kind === 'ended')).toHaveLength(1)
  })

  test('other sessions are not seen; another form of the own key is', () => {
    expect(marks([inSession('agent:main:other')])).toEqual([])
    expect(marks([inSession('MAIN')])).not.toEqual([])
  })

  test('a notice is seen once and begins no run', () => {
    const transcript = new Transcript([KEY])
    const event = chat('n', 'final', { ...message('stretch'), notice: { id: 'n1', atMs: 7, source: 'cron' } })
    expect(transcript.hear(event)).toEqual([{ kind: 'notice', id: 'n1', atMs: 7, source: 'cron', text: 'stretch' }])
    expect(transcript.hear(event)).toEqual([])
    expect(transcript.running()).toBeUndefined()
  })

  test('any payload is survived', () => {
    const transcript = new Transcript([KEY])
    fc.assert(
      fc.property(
        fc.constantFrom('agent', 'chat'),
        fc.object(),
        fc.constantFrom('tool', 'assistant', 'lifecycle'),
        (event, fields, stream) => {
          transcript.hear({
            event,
            payload: { sessionKey: KEY, runId: 'r', stream, ...fields },
          } as unknown as GatewayEvent)
        },
      ),
    )
  })

  test('the label of a tool is one short line', () => {
    expect(toolLabel('cron', { action: 'add', name: 'x' })).toBe('cron add "x"')
    expect(toolLabel('cron', { action: 'add', job: { enabled: true, name: 'x' } })).toBe('cron add "x"')
    expect(toolLabel('cron', { action: 'list', includeDisabled: true })).toBe('cron list {"includeDisabled":true}')
    expect(toolLabel('cron', { text: `a\u001b[31m\n${'b'.repeat(200)}` }).length).toBeLessThan(90)
    expect(toolLabel('x', null)).toBe('x')
  })
})
