// Processes as Node starts them: an executable and its words, in a group of their own, so that a stop reaches all that
// they started. It knows no shell, hands on no environment of ours and gives no input. What leaves its group by itself
// (a daemon) cannot be ended from here; it is not waited for either.
import { spawn } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { SluiceError } from '../errors.ts'
import type { Clock, Command, CommandEnd, Timer } from '../world.ts'

/** From SIGTERM to SIGKILL, and from the end of a process to the end of our patience with who still holds its output. */
const GRACE_MS = 2_000

/** Leaders of the groups that live; when we end, they do. */
const groups = new Set<number>()
process.on('exit', () => {
  for (const leader of groups) signalGroup(leader, 'SIGKILL')
})

export async function findExecutable(
  name: string,
  { path, cwd }: { readonly path: string; readonly cwd: string },
): Promise<string | undefined> {
  // A folder that is not absolute would let the working folder say what a name means.
  const folders = path.split(':').filter(isAbsolute)
  const places = name.includes('/') ? [resolve(cwd, name)] : folders.map(folder => join(folder, name))
  for (const place of places) if (await isExecutable(place)) return place
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

export async function runCommand(command: Command, clock: Clock): Promise<CommandEnd> {
  const { executable, args, cwd, env, signal } = command
  signal.throwIfAborted()
  const output = new HeadAndTail(command.outputLengthMax)
  const timers: Timer[] = []
  const { promise: ended, resolve: end, reject } = Promise.withResolvers<Omit<CommandEnd, 'output' | 'cut'>>()
  try {
    const child = spawn(executable, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    child.once('error', reject)
    const leader = child.pid
    const stop = () => {
      signalGroup(leader, 'SIGTERM')
      timers.push(clock.after(GRACE_MS, () => signalGroup(leader, 'SIGKILL')))
    }
    // Where there were too few file descriptors there are no streams, and an error is on its way.
    const streams = [child.stdout, child.stderr].filter(stream => stream !== undefined)
    for (const stream of streams) stream.setEncoding('utf8').on('data', (text: string) => output.add(text))
    child.once('exit', () => {
      signal.removeEventListener('abort', stop)
      for (const timer of timers) timer.cancel()
      signalGroup(leader, 'SIGKILL')
      if (leader !== undefined) groups.delete(leader)
      timers.push(clock.after(GRACE_MS, () => streams.forEach(stream => void stream.destroy())))
    })
    child.once('close', (exitCode, ending) => end({ exitCode, signal: ending }))
    if (leader !== undefined) groups.add(leader)
    signal.addEventListener('abort', stop, { once: true })
    return { ...(await ended), output: output.text(), cut: output.cut }
  } catch (error) {
    throw notStarted(command, error as NodeJS.ErrnoException)
  } finally {
    for (const timer of timers) timer.cancel()
  }
}

function notStarted({ executable, cwd }: Command, error: NodeJS.ErrnoException): SluiceError {
  const missing = error.code === 'ENOENT'
  const why = missing ? `there is no such file, or no such folder as ${cwd}` : (error.code ?? error.message)
  const message = `${executable} could not be started: ${why}. Nothing was run.`
  return new SluiceError(missing ? 'NOT_FOUND' : 'UNAVAILABLE', message, { outcome: 'not-started', cause: error })
}

function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, signal)
  } catch {
    // Nobody of the group is left.
  }
}

/** Keeps the beginning and the end of a text that may be of any length. */
class HeadAndTail {
  readonly #half: number
  #head = ''
  #tail = ''
  cut = 0

  constructor(lengthMax: number) {
    this.#half = Math.floor(lengthMax / 2)
  }

  add(text: string): void {
    const room = this.#half - this.#head.length
    this.#head += text.slice(0, room)
    const rest = this.#tail + text.slice(room)
    const over = Math.max(0, rest.length - this.#half)
    this.#tail = rest.slice(over)
    this.cut += over
  }

  text(): string {
    return this.cut === 0
      ? this.#head + this.#tail
      : `${this.#head}\n… (${this.cut} characters left out) …\n${this.#tail}`
  }
}
