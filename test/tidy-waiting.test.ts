// Everything in the gateway that can wait stands in src/base/ or src/coordination/, where the wait-for graph sees it or
// where it cannot close a cycle. What makes a promise or a queue of its own elsewhere is listed here, with the reason.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))
const WAITS =
  /new Promise|withResolvers|mutex|semaphore|(Map|Set|Array)<[^>\n]*Promise|\bqueue\s*[:=]\s*\[|#queue\b.*= \[/i

/** Path -> how many such lines it has, and why none of them can be part of a cycle. */
const LISTED: Readonly<Record<string, { readonly lines: number; readonly because: string }>> = {
  'transports/server.ts': { lines: 2, because: 'start and stop of the listener; no turn waits for either' },
  'store/sqlite/link.ts': {
    lines: 2,
    because: 'the loss and the end of the writer thread; close alone awaits its end',
  },
  'store/sqlite/inline.ts': { lines: 1, because: 'the same for the writer that tests run in place' },
  'store/sqlite/client.ts': {
    lines: 3,
    because: 'answers of the writer, which waits for the disk and for nobody else',
  },
  'store/sqlite/large-reader.ts': {
    lines: 2,
    because: 'answers of the thread that reads, which waits for the disk and for nobody else',
  },
  'turns/thread-host.ts': {
    lines: 1,
    because: 'a turn’s asks over its link; what they wait for is seen at the gateway’s end',
  },
  'turns/thread-runner.ts': {
    lines: 1,
    because: 'the end of a turn in its thread; the engine aborts it and lets it go',
  },
  'turns/engine.ts': { lines: 1, because: 'the grace after an abort, which a timer ends' },
  'channels/loopback/loopback.ts': { lines: 1, because: 'a send that a test has hang; its deliverer aborts it' },
  'channels/telegram/intake.ts': {
    lines: 2,
    because: 'the order of one chat’s updates, and which are under way; they wait for the disk and for nobody else',
  },
  'gateway.ts': { lines: 2, because: 'the gateway’s own failure and a restart, awaited by the process edge alone' },
  'main.ts': { lines: 1, because: 'the process edge waits for a signal' },
  'client/calls.ts': { lines: 1, because: 'a client process, outside the gateway' },
  'client/client.ts': { lines: 2, because: 'a client process, outside the gateway' },
  'client/open-client.ts': { lines: 1, because: 'a client process, outside the gateway' },
  'cli/chat/screen.ts': { lines: 1, because: 'a client process, outside the gateway' },
  'cli/commands/channels.ts': { lines: 1, because: 'a client process, outside the gateway' },
  'cli/chat/lines.ts': { lines: 3, because: 'a client process, outside the gateway' },
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? sources(path) : [relative(SRC, path)]
  })
}

test('W2, W4: nothing waits outside base and coordination, except where it is listed with its reason', () => {
  const found = Object.fromEntries(
    sources(SRC)
      .filter(path => !/^(base|coordination)\//.test(path))
      .map(
        path =>
          [
            path,
            readFileSync(join(SRC, path), 'utf8')
              .split('\n')
              .filter(line => WAITS.test(line)).length,
          ] as const,
      )
      .filter(([, lines]) => lines > 0),
  )
  expect(found).toEqual(Object.fromEntries(Object.entries(LISTED).map(([path, { lines }]) => [path, lines])))
})
