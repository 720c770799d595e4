// What the CLI is given of the process it runs in: streams, interrupts, time, and the ways to a gateway. main.ts gives
// the real one, tests a fake one; nothing else in this folder may reach a process.
import type { Random, World } from '../base/world.ts'
import type { GatewayClient } from '../client/client.ts'
import type { Backups } from './backups.ts'
import type { FindBot } from './bots.ts'
import type { Examine } from './findings.ts'
import type { PlanImport } from './imports.ts'
import type { OwnConfig } from './own-config.ts'
import type { FindService } from './services.ts'

export interface Output {
  readonly isTTY: boolean
  /** As large as the terminal is now; undefined when it is none. */
  columns(): number | undefined
  rows(): number | undefined
  write(text: string): void
}

export interface Input {
  readonly isTTY: boolean
  /** Keys one by one and unechoed, instead of lines; only on a terminal. */
  setRaw(raw: boolean): void
  /** Begins to read; answers how to stop. A character is never cut in two. */
  read(listener: { text: (chunk: string) => void; end: () => void }): () => void
}

export interface ConnectWishes {
  /** Default: the gateway of this machine, as environment and config name it. */
  readonly url?: string
  readonly token?: string
  readonly timeoutMs?: number
}

export interface Shell {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: Input
  readonly color: boolean
  readonly clock: World['clock']
  readonly random: Pick<Random, 'uuid'>
  /** The zone of this machine, for when no gateway has said another. */
  readonly zone: string
  /** The full path that starts Sluice. */
  readonly launcher: string
  readonly version: string
  connect(wishes: ConnectWishes): Promise<GatewayClient>
  /** Runs a gateway in this process until it is told to stop; answers the exit code. */
  runGateway(portOverride: number | undefined): Promise<number>
  /** Backups of the state folder that the environment names; no gateway is asked. */
  backups(): Promise<Backups>
  /** The config that the environment names; no gateway is asked. */
  ownConfig(): Promise<OwnConfig>
  /** Examines this machine and the state folder that the environment names. */
  doctor(): Promise<Examine>
  /** What could be taken over from another gateway's files; a gateway need not run. */
  imports(): Promise<PlanImport>
  /** The service that keeps a gateway of the environment's state folder running. */
  services(): Promise<FindService>
  /** Asks a channel's service whose a token is. */
  bots(): Promise<FindBot>
  /** While a listener stands, Ctrl-C calls it instead of ending the process. Answers how to stop. */
  onInterrupt(listener: () => void): () => void
  /** Stands while the terminal changes its size. Answers how to stop. */
  onResize(listener: () => void): () => void
  /** Is called when the process must end (SIGTERM, SIGHUP), to give the terminal back. Answers how to stop. */
  onTerminate(listener: () => void): () => void
}

/** Exit codes: the whole list. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const
