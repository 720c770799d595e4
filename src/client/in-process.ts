// The link to a gateway in the same process: a function call. Who embeds a gateway hands in its dispatcher's call, as the
// caller that the calls are to be.
import { asSluiceError, SluiceError } from '../base/errors.ts'
import type { GatewayEvent } from './client.ts'
import type { Link } from './link.ts'
import { Replay } from './replay.ts'

export interface InProcess {
  readonly call: (
    method: string,
    params: unknown,
    options: { readonly key?: string; readonly signal: AbortSignal },
  ) => Promise<unknown>
  /** Answers how to stop. */
  readonly listen: (listener: (event: GatewayEvent) => void) => () => void
  /** Of the newest durable event. */
  readonly lastSeq: () => number
}

export function inProcessLink({ call, listen, lastSeq }: InProcess): Link {
  const stops = new Set<() => void>()
  return {
    call: async ({ method, params, key, signal }) => {
      try {
        return await call(method, params, { signal, ...(key !== undefined && { key }) })
      } catch (error) {
        throw error instanceof SluiceError ? error : asSluiceError(error)
      }
    },
    listen: (listener, since) => {
      let stop: () => void = () => undefined
      const replay = new Replay(listener, since)
      replay.follow({
        hello: { snapshot: { lastSeq: lastSeq() } },
        onEvent: hear => {
          stop = listen(hear)
          return stop
        },
        call: (method, params) => call(method, params, { signal: NEVER }) as never,
      })
      const end = () => {
        stops.delete(end)
        replay.end()
        stop()
      }
      stops.add(end)
      return end
    },
    close: () => {
      for (const stop of stops) stop()
    },
  }
}

const NEVER = new AbortController().signal
