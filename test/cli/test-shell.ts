// The CLI's process, faked: what is written is kept, keys are pressed by hand, the gateway is the one it is given.
import { randomUUID } from 'node:crypto'
import { vi } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import type { Clock } from '../../src/base/world.ts'
import { runCli } from '../../src/cli/run.ts'
import type { Shell } from '../../src/cli/shell.ts'
import { connectGateway } from '../../src/client/client.ts'
import { BOUND_MS } from '../e2e/bound.ts'

export interface TestShell extends Shell {
  out: string
  err: string
  columnsNow: number
  isRaw: boolean
  portAsked: number | undefined
  press(text: string): void
  endInput(): void
  interrupt(): void
  resize(columns: number): void
}

export function testShell(url: string, options: { tty?: boolean; nowMs?: number; clock?: Clock } = {}): TestShell {
  const isTTY = options.tty === true
  const interrupts = new Set<() => void>()
  const resizes = new Set<() => void>()
  let reader: { text: (chunk: string) => void; end: () => void } | undefined
  const early: string[] = []
  let ended = false
  const nowMs = options.nowMs
  const listen = (set: Set<() => void>, listener: () => void) => {
    set.add(listener)
    return () => void set.delete(listener)
  }
  const output = (name: 'out' | 'err') => ({
    isTTY,
    columns: () => (isTTY ? shell.columnsNow : undefined),
    rows: () => (isTTY ? 24 : undefined),
    write: (text: string) => {
      shell[name] += text
    },
  })
  const shell: TestShell = {
    out: '',
    err: '',
    columnsNow: 80,
    isRaw: false,
    portAsked: undefined,
    stdout: output('out'),
    stderr: output('err'),
    stdin: {
      isTTY,
      setRaw: raw => {
        shell.isRaw = raw
      },
      read: listener => {
        reader = listener
        for (const text of early.splice(0)) listener.text(text)
        if (ended) listener.end()
        return () => {
          reader = undefined
        }
      },
    },
    color: false,
    clock: options.clock ?? (nowMs === undefined ? nodeClock : { ...nodeClock, now: () => nowMs }),
    random: { uuid: () => randomUUID() },
    zone: 'UTC',
    launcher: '/opt/sluice/bin/sluice',
    version: '9.9.9',
    connect: wishes =>
      connectGateway({
        url,
        client: { id: 'cli', mode: 'cli' },
        clock: nodeClock,
        startCommand: '/opt/sluice/bin/sluice gateway',
        ...wishes,
      }),
    runGateway: async port => {
      shell.portAsked = port ?? -1
      return 0
    },
    backups: () => Promise.reject(new Error('this test has no backups')),
    ownConfig: () => Promise.reject(new Error('this test has no config file')),
    imports: () => Promise.reject(new Error('this test has nothing to import')),
    services: () => Promise.reject(new Error('this test has no services')),
    bots: () => Promise.reject(new Error('this test has no bots')),
    doctor: () => Promise.reject(new Error('this test has no doctor')),
    onInterrupt: listener => listen(interrupts, listener),
    onResize: listener => listen(resizes, listener),
    onTerminate: () => () => undefined,
    press: text => (reader ? reader.text(text) : void early.push(text)),
    endInput: () => {
      ended = true
      reader?.end()
    },
    interrupt: () => {
      for (const listener of [...interrupts]) listener()
    },
    resize: columns => {
      shell.columnsNow = columns
      for (const listener of [...resizes]) listener()
    },
  }
  return shell
}

export async function run(shell: TestShell, ...args: string[]): Promise<number> {
  return runCli(args, shell)
}

/** Resolves once the check passes, under the one bound of all: that of `vi.waitFor` itself measures speed. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: BOUND_MS, interval: 5 })
}

/** Resolves when the text has been written; what is awaited is named when it never is. */
export function until(shell: TestShell, text: string): Promise<void> {
  return eventually(() => {
    if (!shell.out.includes(text))
      throw new Error(`"${text}" was not written; this was: ${JSON.stringify(shell.out.slice(-800))}`)
  })
}
