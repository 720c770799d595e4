// Reads a stream of Server-Sent Events as its format says: fields by line, an event by an empty line, comments left out.
// It makes no connection and no sense of what it reads.
import { SECOND } from '../base/durations.ts'
import type { Clock } from '../base/world.ts'

/** A gateway says something every 15 seconds; a network that went away does not even say that it did. */
const SILENCE_MS_MAX = 45 * SECOND

export interface ServerSentEvent {
  readonly id?: string
  readonly event: string
  readonly data: string
}

/** Ends when the stream ends or has gone silent; throws what the stream throws. What was not ended by an empty line is no event. */
export async function* eventsOf(stream: ReadableStream<Uint8Array>, clock: Clock): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  let rest = ''
  try {
    for (;;) {
      const watch = clock.after(SILENCE_MS_MAX, () => void reader.cancel().catch(() => undefined))
      const { done, value } = await reader.read().finally(() => watch.cancel())
      if (done) return
      const blocks = (rest + decoder.decode(value, { stream: true })).replaceAll('\r\n', '\n').split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) yield* eventIn(block)
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function* eventIn(block: string): Generator<ServerSentEvent> {
  const fields: { id?: string; event: string } = { event: 'message' }
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (name === 'data') data.push(value)
    else if (name === 'id' || name === 'event') fields[name] = value
  }
  if (data.length > 0) yield { ...fields, data: data.join('\n') }
}
