// One gateway process of the chaos run, as its parent holds it: its signs, its end, and the two ways to end it. It ends
// with its parent: nothing it started is left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { within } from '../e2e/bound.ts'
import type { Order } from './gateway-process.ts'
import type { Point, Sign } from './signs.ts'

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class ChaosProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<Ended>
  readonly #listeners = new Set<(sign: Sign) => void>()
  /** What came before anybody listened is told to each who asks later. */
  readonly #given: Sign[] = []
  #stderr = ''

  constructor(entry: string, folder: string) {
    const { PATH = '' } = process.env
    const env = { PATH, HOME: folder, TZ: 'Europe/Berlin' }
    this.#child = spawn(process.execPath, [entry, folder], {
      env,
      cwd: folder,
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    })
    running.add(this.#child)
    const { promise, resolve, reject } = Promise.withResolvers<Ended>()
    this.#child.on('error', reject)
    this.#child.on('close', (code, signal) => {
      running.delete(this.#child)
      resolve({ code, signal })
    })
    this.#ended = promise
    const [stdin, , stderr, pipe] = this.#child.stdio as unknown as [Writable, null, Readable, Readable]
    stdin.on('error', () => undefined)
    stderr.on('data', chunk => {
      this.#stderr += chunk
    })
    // A line that a kill cut off is no sign.
    createInterface({ input: pipe }).on('line', line => line.endsWith('}') && this.#hear(JSON.parse(line)))
  }

  #hear(sign: Sign): void {
    this.#given.push(sign)
    for (const listener of [...this.#listeners]) listener(sign)
  }

  onSign(listener: (sign: Sign) => void): void {
    this.#listeners.add(listener)
  }

  /** The first sign that fits, given already or still to come. Rejects when the process ends without it. */
  async until(what: string, fits: (sign: Sign) => boolean): Promise<Sign> {
    const found = this.#given.find(fits)
    if (found) return found
    const { promise, resolve } = Promise.withResolvers<Sign>()
    const listener = (sign: Sign) => fits(sign) && resolve(sign)
    this.#listeners.add(listener)
    const dead = this.#ended.then(end => {
      throw new Error(`the gateway ended (${JSON.stringify(end)}) before: ${what}\n${this.#stderr}`)
    })
    try {
      return await within(Promise.race([promise, dead]), () => `${what}\n${this.#stderr}`)
    } finally {
      this.#listeners.delete(listener)
    }
  }

  async started(): Promise<string> {
    const sign = await this.until('its start', ({ sign }) => sign === 'started')
    return (sign as Extract<Sign, { sign: 'started' }>).url
  }

  async reached(point: Point): Promise<void> {
    await this.until(point, sign => sign.sign === 'reached' && sign.point === point)
  }

  order(order: Order): void {
    ;(this.#child.stdin as Writable).write(`${JSON.stringify(order)}\n`)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    const { signal } = await within(this.#ended, 'the end of a killed gateway')
    if (signal !== 'SIGKILL') throw new Error(`the gateway had ended before it was killed:\n${this.#stderr}`)
  }

  async stop(): Promise<void> {
    this.order({ order: 'stop' })
    const end = await within(this.#ended, 'the end of a gateway that was stopped')
    if (end.code !== 0) throw new Error(`the gateway did not stop cleanly (${JSON.stringify(end)}):\n${this.#stderr}`)
  }
}
