// The process edge: arguments, environment, streams, signals, exit codes. It imports nothing that a command does not
// need, as every command pays for it, and nothing before Node's version is known: the store's native code crashes on
// old ones. What commands do is in cli/; a gateway is put together in gateway.ts.

import type { TLSSocket } from 'node:tls'
import type { ChannelError } from './channels/port.ts'
import type { Backups } from './cli/backups.ts'
import type { FindBot } from './cli/bots.ts'
import type { Examine } from './cli/findings.ts'
import type { PlanImport } from './cli/imports.ts'
import type { OwnConfig } from './cli/own-config.ts'
import type { FindService } from './cli/services.ts'
import type { ConnectWishes, Input, Output, Shell } from './cli/shell.ts'
import type { OpenSocket } from './client/socket.ts'
import type { Schedule } from './protocol/job.ts'

const NODE_MAJOR_MIN = 24
/** How long what is still open may delay the end of the process. */
const EXIT_GRACE_MS = 2_000
/** What clients are told of how long a restart takes. */
const RESTART_EXPECTED_MS = 1_500
const LAUNCHER_PATH = '../bin/sluice'

/** A stream is opened when it is first looked at: that costs milliseconds, and few commands need all three. */
function outputOf(
  open: () => NodeJS.WriteStream,
  lost: (error: NodeJS.ErrnoException) => void = () => undefined,
): Output {
  let opened: NodeJS.WriteStream | undefined
  const stream = () => {
    opened ??= open().on('error', lost)
    return opened
  }
  return {
    get isTTY() {
      return stream().isTTY === true
    },
    columns: () => (stream().isTTY ? stream().columns : undefined),
    rows: () => (stream().isTTY ? stream().rows : undefined),
    write: text => void stream().write(text),
  }
}

const input: Input = {
  get isTTY() {
    return process.stdin.isTTY === true
  },
  setRaw: raw => void (process.stdin.isTTY && process.stdin.setRawMode(raw)),
  read({ text, end }) {
    process.stdin.setEncoding('utf8')
    process.stdin.on('data', text)
    process.stdin.on('end', end)
    process.stdin.resume()
    return () => {
      process.stdin.off('data', text)
      process.stdin.off('end', end)
      process.stdin.pause()
    }
  },
}

let isGateway = false
/** Who reads our output may leave before its end, as `head` does: a command has nobody left to tell. A gateway has. */
function unread({ code }: NodeJS.ErrnoException): void {
  if (!isGateway) process.exit(code === 'EPIPE' ? 0 : 1)
}

function on(events: readonly NodeJS.Signals[], listener: () => void): () => void {
  for (const event of events) process.on(event, listener)
  return () => {
    for (const event of events) process.off(event, listener)
  }
}

async function makeShell(args: readonly string[]): Promise<Shell> {
  const [{ nodeClock, nodeRandom }, { VERSION }, { fileURLToPath }] = await Promise.all([
    import('./base/node/world.ts'),
    import('./base/node/version.ts'),
    import('node:url'),
  ])
  const launcher = fileURLToPath(new URL(LAUNCHER_PATH, import.meta.url))
  const isPlain = process.env.NO_COLOR || process.env.TERM === 'dumb' || args.includes('--no-color')
  const shell: Shell = {
    stdout: outputOf(() => process.stdout, unread),
    stderr: outputOf(() => process.stderr),
    stdin: input,
    color: process.stdout.isTTY === true && !isPlain,
    clock: nodeClock,
    random: nodeRandom,
    // Read when it is needed: the first look at a zone costs milliseconds.
    get zone() {
      return Intl.DateTimeFormat().resolvedOptions().timeZone
    },
    launcher,
    version: VERSION,
    connect: wishes => connect(wishes, shell),
    runGateway: portOverride => runGateway(portOverride, shell),
    backups: () => ownBackups(shell),
    ownConfig: async () => ownConfigOn(await surroundings(shell)),
    doctor: () => doctorOf(shell),
    imports: () => importsOf(shell),
    services: () => servicesOf(shell),
    bots: botsOf,
    onInterrupt: listener => on(['SIGINT'], listener),
    onResize: listener => {
      process.stdout.on('resize', listener)
      return () => void process.stdout.off('resize', listener)
    },
    onTerminate: listener => on(['SIGTERM', 'SIGHUP'], listener),
  }
  return shell
}

async function connect({ url, token, timeoutMs }: ConnectWishes, shell: Shell) {
  const [{ connectGateway }, { openSocket }, found] = await Promise.all([
    import('./client/client.ts'),
    loadWebSocket(),
    ownGateway(url, token),
  ])
  const { fingerprint, ...known } = found
  return connectGateway({
    ...known,
    client: { id: 'cli', mode: 'cli', version: shell.version, platform: process.platform },
    clock: shell.clock,
    openSocket: url => openSocket(url, fingerprint),
    startCommand: `${shell.launcher} gateway`,
    ...(timeoutMs !== undefined && { timeoutMs }),
  })
}

/** Node's own WebSocket takes 18 ms longer to load than the package. */
async function loadWebSocket(): Promise<{ openSocket: (url: string, fingerprint?: string) => ReturnType<OpenSocket> }> {
  const { WebSocket } = await import('ws')
  return {
    openSocket: (url, fingerprint) => {
      // With a pin only the pin counts: our own certificate is signed by nobody.
      const socket = new WebSocket(url, { perMessageDeflate: false, rejectUnauthorized: fingerprint === undefined })
      if (fingerprint !== undefined) {
        // At the upgrade nothing secret has been sent yet.
        socket.on('upgrade', response => {
          const { fingerprint256 = '' } = (response.socket as TLSSocket).getPeerCertificate()
          if (fingerprint256.replaceAll(':', '').toLowerCase() !== fingerprint) socket.terminate()
        })
      }
      return socket
    },
  }
}

interface Found {
  readonly url: string
  readonly token?: string
  readonly password?: string
  readonly cause?: string
  readonly fingerprint?: string
}

/**
 * The address of this machine's gateway, and what we are to it (the turn that started us, or who holds its secret), unless
 * others were given; neither leaves this machine for anybody.
 */
async function ownGateway(url: string | undefined, token: string | undefined): Promise<Found> {
  const given = token ?? (url === undefined ? undefined : process.env.SLUICE_GATEWAY_TOKEN)
  if (url !== undefined && (given || !isLoopback(url))) return { url, ...(given && { token: given }) }
  const [{ clientSecrets, locate, ownAddress }, { readConfigFile }, { nodeFiles }, { homedir }] = await Promise.all([
    import('./config/locate.ts'),
    import('./config/includes.ts'),
    import('./base/node/world.ts'),
    import('node:os'),
  ])
  const { configPath, tokenPath, recordPath } = locate(process.env, homedir())
  const config = readConfigFile(nodeFiles, configPath)
  const address = url === undefined ? ownAddress(nodeFiles, process.env, { config, recordPath }) : { url }
  // A turn may not be able to read the token, and needs none.
  const cause = process.env.SLUICE_CAUSE
  if (cause) return { ...address, cause }
  if (token) return { ...address, token }
  return { ...address, ...clientSecrets(nodeFiles, process.env, { config, tokenPath }) }
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname)
}

/** A backup has all that the gateway holds; in an agent's folder it would be a file that a reply may send. */
async function ownBackups({ clock, version }: Shell): Promise<Backups> {
  if (process.env.SLUICE_CAUSE) {
    const { SluiceError } = await import('./base/errors.ts')
    const message = 'A turn may not make, read or restore backups: ask the person to. Nothing was done.'
    throw new SluiceError('FORBIDDEN', message, { outcome: 'not-started' })
  }
  const [{ BackupKeeper }, { readBackup, restoreBackup, writeBackup }, { locate }, { nodeFiles }, { homedir }] =
    await Promise.all([
      import('./maintenance/backup.ts'),
      import('./store/sqlite/backup.ts'),
      import('./config/locate.ts'),
      import('./base/node/world.ts'),
      import('node:os'),
    ])
  const store = { write: writeBackup, read: readBackup, restore: restoreBackup }
  return new BackupKeeper({ places: locate(process.env, homedir()), files: nodeFiles, clock, version, store })
}

type OwnConfigModule = typeof import('./maintenance/own-config.ts')

/** What commands need that work on this machine's config themselves. */
async function surroundings({ zone }: Shell) {
  const [module, { checkModels }, { modelsOfAgents }, { locate }, { nodeFiles }, { homedir }] = await Promise.all([
    import('./maintenance/own-config.ts'),
    import('./providers/choice.ts'),
    import('./config/agents.ts'),
    import('./config/locate.ts'),
    import('./base/node/world.ts'),
    import('node:os'),
  ])
  const around: Parameters<OwnConfigModule['ownConfig']>[0] = {
    places: locate(process.env, homedir()),
    files: nodeFiles,
    env: process.env,
    systemZone: zone,
    judge: settings => {
      for (const { models, keys } of modelsOfAgents(settings)) checkModels(models, keys)
    },
  }
  return { module, around }
}

function ownConfigOn({ module, around }: Awaited<ReturnType<typeof surroundings>>): OwnConfig {
  return module.ownConfig(around)
}

async function doctorOf(shell: Shell): Promise<Examine> {
  const [{ module, around }, { examine }, { nodeDisk }, { inspectStore }] = await Promise.all([
    surroundings(shell),
    import('./maintenance/doctor.ts'),
    import('./base/node/disk.ts'),
    import('./store/sqlite/inspect.ts'),
  ])
  const { places } = around
  const config = module.configPlace(around, places.configPath)
  const { clock } = shell
  const host = '127.0.0.1'
  const parts = { places, config, disk: nodeDisk, clock, nodeVersion: process.version, host, inspect: inspectStore }
  return wishes => examine(parts, wishes)
}

async function importsOf(shell: Shell): Promise<PlanImport> {
  const [{ module, around }, { planImport }, { validateSchedule }, { homedir }] = await Promise.all([
    surroundings(shell),
    import('./maintenance/import.ts'),
    import('./scheduler/next-occurrence.ts'),
    import('node:os'),
  ])
  const config = module.configPlace(around, around.places.configPath)
  const checkSchedule = (schedule: Schedule) => validateSchedule(schedule, shell.zone, shell.clock.now())
  const { places, files } = around
  const parts = { files, clock: shell.clock, places, config, home: homedir(), checkSchedule }
  return from => planImport(parts, from)
}

async function servicesOf({ launcher }: Shell): Promise<FindService> {
  const [{ serviceOf }, { locate }, { nodeFiles }, { homedir }] = await Promise.all([
    import('./maintenance/service.ts'),
    import('./config/locate.ts'),
    import('./base/node/world.ts'),
    import('node:os'),
  ])
  const { env, platform } = process
  const home = homedir()
  return name => serviceOf({ platform, env, home, places: locate(env, home), files: nodeFiles, launcher }, name)
}

async function botsOf(): Promise<FindBot> {
  const [{ accountOf }, { secretOf }, { nodeFiles, nodeWorld }, { SluiceError }] = await Promise.all([
    import('./channels/telegram/telegram.ts'),
    import('./config/references.ts'),
    import('./base/node/world.ts'),
    import('./base/errors.ts'),
  ])
  const { fetch, clock } = nodeWorld
  return async ({ token: given = process.env.TELEGRAM_BOT_TOKEN, file, apiRoot }) => {
    const token = file === undefined ? given : secretOf(file, nodeFiles, 'channels.telegram.tokenFile')
    if (!token) return { problem: 'TELEGRAM_BOT_TOKEN is not set here, only perhaps for the gateway.' }
    try {
      return { account: await accountOf({ token, apiRoot, fetch, clock }) }
    } catch (error) {
      const { kind, message } = error as ChannelError
      if (kind !== 'permanent') return { problem: message }
      throw new SluiceError('INVALID_REQUEST', `Nothing was changed: ${message}`, { outcome: 'not-started' })
    }
  }
}

async function runGateway(portOverride: number | undefined, shell: Shell): Promise<number> {
  isGateway = true
  const stopping = Promise.withResolvers<string>()
  let asked = false
  const unlisten = [
    on(['SIGINT'], () => {
      // Whoever presses Ctrl-C twice does not want to wait for a clean end.
      if (asked) process.exit(130)
      asked = true
      stopping.resolve('interrupted')
    }),
    on(['SIGTERM', 'SIGHUP'], () => stopping.resolve('terminated')),
  ]
  try {
    const { warmThread } = await import('./store/sqlite/link.ts')
    for (;;) {
      // First of all: that thread takes as long to begin as the gateway takes to load.
      const writer = warmThread()
      const [{ startGateway }, { locate }, { nodeWorld }, { homedir }] = await Promise.all([
        import('./gateway.ts'),
        import('./config/locate.ts'),
        import('./base/node/world.ts'),
        import('node:os'),
      ])
      // A start that fails is told and ends the process, the first one and one after a restart.
      const running = await startGateway({
        places: locate(process.env, homedir()),
        env: process.env,
        launcher: shell.launcher,
        world: nodeWorld,
        writer,
        ...(portOverride !== undefined && { portOverride }),
      })
      shell.stdout.write(`${running.startupLines.join('\n')}\n`)
      await stayLean()
      // A signal that came while the gateway restarted is heard here, by the next one.
      const ended = await Promise.race([stopping.promise, running.failed, running.restartAsked])
      if (ended instanceof Error) shell.stderr.write(`Error: ${ended.message}\n`)
      if (typeof ended === 'string' || ended instanceof Error) {
        shell.stdout.write('Stopping…\n')
        await running.close(ended instanceof Error ? 'failed' : ended)
        return ended instanceof Error ? 1 : 0
      }
      // Why it is asked for is in the log: the words may be a model's.
      shell.stdout.write('Restarting…\n')
      await running.close('gateway restarting', { restartExpectedMs: RESTART_EXPECTED_MS })
    }
  } finally {
    for (const stop of unlisten) stop()
  }
}

/** From here on memory counts for more than the last bit of speed (decision 0004); set earlier, these flags cost the start. */
async function stayLean(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8')
  for (const flag of ['--max-semi-space-size=4', '--semi-space-growth-factor=2']) {
    setFlagsFromString(flag)
  }
}

async function main(args: readonly string[]): Promise<void> {
  const { runCli } = await import('./cli/run.ts')
  // Our timers let a process end; a command that waits for one must not end with it.
  const alive = setInterval(() => undefined, 2 ** 30)
  process.exitCode = await runCli(args, await makeShell(args))
  clearInterval(alive)
  // Not at once: logs are still being written. What holds on for longer is not waited for.
  setTimeout(() => process.exit(), EXIT_GRACE_MS).unref()
}

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `sluice: needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version} (${process.execPath}).\n` +
      "  Why: its store's native code crashes on older versions.\n" +
      `  Next: install Node ${NODE_MAJOR_MIN} or newer and put it first on PATH.\n`,
  )
  process.exitCode = 1
} else {
  await main(process.argv.slice(2))
}
