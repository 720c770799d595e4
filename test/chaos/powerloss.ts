// Power loss, shown on the real gateway under strace while clients make acknowledged writes. First the order: each
// acknowledgement goes to its socket after the sync of the log frames that hold what it acknowledges. Then the outcome:
// the files cut to what was synced at many moments open, and hold all that was acknowledged by then.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { nodeClock } from '../../src/base/node/world.ts'
import { connectGateway, type GatewayClient } from '../../src/client/client.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { BOUND_MS, within } from '../e2e/bound.ts'
import { Prng } from '../simulation/prng.ts'
import { Disk } from './disk.ts'
import { farJob } from './model.ts'
import { readTrace, TRACED, type TracedCall } from './trace.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/sluice', import.meta.url))
const CLIENTS = 4
/** Now and then a long message, so that the log is copied back and begun anew. */
const LONG_EVERY = 3
const LONG_LENGTH = 190_000
/** Calls on the log from the first write of a commit to its sync, at most. */
const CALLS_OF_COMMIT_MAX = 10_000
/** Longer than any one write of the gateway. */
const STRING_BYTES_MAX = 4 * 2 ** 20

export const STRACE_MISSING =
  'strace is not installed, or may not trace here. To see what survives a power loss, install it (Debian, Ubuntu: apt-get install strace), and in a container allow SYS_PTRACE'

export function hasStrace(): boolean {
  const { status } = spawnSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' })
  return status === 0
}

export interface PowerLossOptions {
  readonly writes: number
  /** Moments at which the power fails, beside that of each acknowledgement. */
  readonly moments: number
  readonly seed: number
  readonly say?: (line: string) => void
}

export interface PowerLossReport {
  readonly acknowledged: number
  /** Acknowledgements that followed the sync of their frames. */
  readonly ordered: number
  readonly syncs: number
  /** Times that the log was begun anew. */
  readonly logs: number
  /** Copies that were opened. */
  readonly cuts: number
  readonly failed: readonly string[]
}

/** One acknowledged write: what the client was told, and where to find it. */
interface Written {
  readonly key: string
  readonly kind: 'message' | 'job'
  readonly id: string
}

type Write = Extract<TracedCall, { kind: 'write' }>
const isWrite = (call: TracedCall): call is Write => call.kind === 'write'

const keyOf = (number: number) => `kept-${number}-`
const keysIn = (text: string) => text.match(/kept-\d+-/g) ?? []

export async function losePower(options: PowerLossOptions): Promise<PowerLossReport> {
  const { say = () => undefined } = options
  const folder = mkdtempSync(join(tmpdir(), 'sluice-powerloss-'))
  try {
    const written = await traced(folder, options.writes)
    say(`${written.length} writes were acknowledged`)
    const calls = await readTrace(join(folder, 'trace'))
    say(`${calls.length} calls were traced`)
    return await judge(calls, written, { ...options, folder })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const stateDir = (folder: string) => join(folder, 'state')

/** Runs a gateway under strace, has it acknowledge so many writes, and kills it. */
async function traced(folder: string, writes: number): Promise<Written[]> {
  mkdirSync(stateDir(folder), { mode: 0o700 })
  const { PATH = '' } = process.env
  const env = { PATH, HOME: folder, TZ: 'Europe/Berlin', SLUICE_STATE_DIR: stateDir(folder) }
  const strace = [
    '-f',
    '-yy',
    '-xx',
    '-s',
    String(STRING_BYTES_MAX),
    '-e',
    `trace=${TRACED}`,
    '-o',
    join(folder, 'trace'),
  ]
  const args = [...strace, LAUNCHER, 'gateway', '--port', '0']
  const child = spawn('strace', args, { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const end = () => endTraced(child)
  process.on('exit', end)
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()))
  try {
    const url = await within(urlOf(child), 'the start of a traced gateway')
    return await writeAll(url, { token: readFileSync(join(stateDir(folder), 'token'), 'utf8').trim(), writes })
  } finally {
    end()
    await within(ended, 'the end of a traced gateway')
    process.off('exit', end)
  }
}

/** The gateway first: strace, which ends with it, would leave it behind. */
function endTraced({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return
  const traced = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  for (const gateway of traced.split(' ').filter(Boolean)) process.kill(Number(gateway), 'SIGKILL')
}

function urlOf(child: ChildProcess): Promise<string> {
  let said = ''
  return new Promise((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      said += chunk
      const url = /listening on (ws:\/\/[\w.:]+)/.exec(said)?.[1]
      if (url) resolve(url)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.on('close', () => reject(new Error(`the traced gateway ended:\n${said}`)))
  })
}

async function writeAll(url: string, { token, writes }: { token: string; writes: number }): Promise<Written[]> {
  const client = await connectGateway({
    url,
    token,
    client: { id: 'test', mode: 'test' },
    clock: nodeClock,
    timeoutMs: BOUND_MS,
    openSocket: address => new WebSocket(address),
  })
  const keys = Array.from({ length: writes }, (_, n) => keyOf(n))
  const written: Written[] = []
  const worker = async () => {
    for (let key = keys.shift(); key !== undefined; key = keys.shift()) written.push(await write(client, key))
  }
  await Promise.all(Array.from({ length: CLIENTS }, worker))
  // Once this is answered, the write of the last answer above has returned, and the trace has it whole.
  await client.call('health', {})
  client.close()
  return written
}

async function write(client: GatewayClient, key: string): Promise<Written> {
  const number = Number(key.split('-')[1])
  if (number % 2 === 0) {
    const { id } = await client.call('cron.add', { ...farJob(key), idempotencyKey: key })
    return { key, kind: 'job', id }
  }
  const message = number % LONG_EVERY === 0 ? `${key} ${'long '.repeat(LONG_LENGTH / 5)}` : `hello ${key}`
  await client.call('chat.send', { sessionKey: `s${number % 3}`, message, idempotencyKey: key })
  return { key, kind: 'message', id: key }
}

interface Judging extends PowerLossOptions {
  readonly folder: string
}

async function judge(
  calls: readonly TracedCall[],
  written: readonly Written[],
  judging: Judging,
): Promise<PowerLossReport> {
  const wal = `${stateDir(judging.folder)}/sluice.db-wal`
  const ofLog = calls.filter(({ target }) => target === wal)
  const lines = answerLines(calls)
  const acknowledged = written.map(one => {
    const atLine = lines.get(one.key)
    if (atLine === undefined) throw new Error(`the trace shows no answer for ${one.key}`)
    return { ...one, atLine }
  })
  const logs = ofLog.filter(isWrite).filter(({ offset }) => offset === 0).length
  const firsts = firstWrites(ofLog)
  const disorder = acknowledged.flatMap(one => orderFault(one, ofLog, firsts.get(one.key)))
  const { cuts, failed } = await cutAll(calls, acknowledged, judging)
  return {
    acknowledged: written.length,
    ordered: written.length - disorder.length,
    syncs: ofLog.filter(({ kind }) => kind === 'sync').length,
    logs,
    cuts,
    failed: [...disorder, ...failed],
  }
}

/** For each key, the line at which the answer that names it begins to go to its client. */
function answerLines(calls: readonly TracedCall[]): ReadonlyMap<string, number> {
  const lines = new Map<string, number>()
  for (const { bytes, begun } of calls.filter(isWrite).filter(({ target }) => target.startsWith('TCP:'))) {
    const frames = bytes.toString('latin1').split('{"type":"')
    for (const frame of frames.filter(text => text.startsWith('res"'))) {
      for (const key of keysIn(frame)) if (!lines.has(key)) lines.set(key, begun)
    }
  }
  return lines
}

/** For each key, the first write of the log that has it. */
function firstWrites(ofLog: readonly TracedCall[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const [at, call] of ofLog.entries()) {
    if (!isWrite(call)) continue
    for (const key of keysIn(call.bytes.toString('latin1'))) if (!found.has(key)) found.set(key, at)
  }
  return found
}

/** The frame header of a commit says how large the database is after it. */
const isCommitFrame = ({ bytes, offset }: Write) => bytes.length === 24 && offset !== 0 && bytes.readUInt32BE(4) > 0

/** A frame that holds the key, then the last frame of its commit, then a sync: all before the answer. */
function orderFault({ key, atLine }: Acknowledged, ofLog: readonly TracedCall[], found = -1): string[] {
  const frame = ofLog[found]
  if (!frame || frame.done > atLine) return [`${key} was acknowledged before it was written`]
  // A frame is its header and then its page: the commit's last header may stand just before the page with the key.
  const rest = ofLog.slice(Math.max(0, found - 1), found + CALLS_OF_COMMIT_MAX)
  const commitAt = rest.findIndex(call => isWrite(call) && isCommitFrame(call))
  const lastPage = rest[commitAt + 1]
  const sync = rest.slice(commitAt + 2).find(call => call.kind === 'sync' && call.begun > (lastPage?.done ?? 0))
  const isOrdered = commitAt >= 0 && sync && sync.done < atLine
  return isOrdered ? [] : [`${key} was acknowledged before its commit was synced`]
}

type Acknowledged = Written & { readonly atLine: number }

/** Lets the power fail at each acknowledgement and at drawn moments, and looks at what is left. */
async function cutAll(calls: readonly TracedCall[], acknowledged: readonly Acknowledged[], judging: Judging) {
  const random = new Prng(`powerloss ${judging.seed}`)
  const first = Math.min(...acknowledged.map(({ atLine }) => atLine))
  const last = calls.at(-1)?.done ?? first
  const drawn = Array.from({ length: judging.moments }, () => random.int(first, last))
  const moments = [...new Set([...acknowledged.map(({ atLine }) => atLine), ...drawn])].sort((a, b) => a - b)
  const disk = new Disk(stateDir(judging.folder))
  const failed: string[] = []
  let told = 0
  for (const [index, moment] of moments.entries()) {
    for (let call = calls[told]; call && call.done < moment; call = calls[told]) {
      disk.tell(call)
      told += 1
    }
    const expected = acknowledged.filter(({ atLine }) => atLine <= moment)
    failed.push(...(await cut(disk, expected, { ...judging, moment })))
    failed.push(...(await cut(disk, expected, { ...judging, moment, parts: random })))
    if ((index + 1) % 100 === 0) judging.say?.(`${index + 1} of ${moments.length} moments, ${failed.length} failed`)
  }
  return { cuts: 2 * moments.length, failed }
}

interface Cut extends Judging {
  readonly moment: number
  readonly parts?: Prng
}

async function cut(disk: Disk, expected: readonly Acknowledged[], { folder, moment, parts }: Cut): Promise<string[]> {
  const copy = mkdtempSync(join(folder, 'cut-'))
  const where = `power lost at line ${moment}${parts ? ', unsynced writes in parts' : ''}`
  try {
    disk.writeTo(copy, parts)
    const store = await openSqliteStore({ folder: copy, thread: false })
    const { read } = store
    const lost = expected.filter(({ kind, id }) => (kind === 'job' ? !read.job(id) : !read.run(id)))
    await store.close()
    return lost.map(({ key }) => `${where}: ${key} was acknowledged and is gone`)
  } catch (error) {
    return [`${where}: the store does not open: ${(error as Error).message}`]
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

export function powerLossLines({ acknowledged, ordered, syncs, logs, cuts, failed }: PowerLossReport): string[] {
  return [
    `${acknowledged} acknowledged writes, ${syncs} syncs of the log, which was begun ${logs} times`,
    `${ordered} of ${acknowledged} acknowledgements followed the sync of their commit`,
    `${cuts} copies cut to what a power loss leaves were opened`,
    ...failed.slice(0, 20),
    `${failed.length} failed`,
  ]
}
