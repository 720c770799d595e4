// Real processes, all of them this Node: what is started, what it is given, what it leaves. A process shows that it lives
// by a connection to the test, which the kernel closes with it: nothing here waits for a span of time.
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findExecutable, runCommand } from '../../src/base/node/processes.ts'
import { nodeClock } from '../../src/base/node/world.ts'
import type { Clock, Command } from '../../src/base/world.ts'
import { within } from '../e2e/bound.ts'
import { FakeClock } from '../fakes/clock.ts'

const never = new AbortController().signal

function command(script: string, extra: Partial<Command> = {}): Command {
  return {
    executable: process.execPath,
    args: ['-e', script],
    cwd: tmpdir(),
    env: {},
    outputLengthMax: 10_000,
    signal: never,
    ...extra,
  }
}

let server: Server
let guests: Map<string, Socket>
let arrivals: Map<string, PromiseWithResolvers<Socket>>
const arrival = (name: string) => {
  const found = arrivals.get(name) ?? Promise.withResolvers<Socket>()
  arrivals.set(name, found)
  return found
}

beforeEach(async () => {
  guests = new Map()
  arrivals = new Map()
  server = createServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', data => {
      guests.set(String(data), socket)
      arrival(String(data)).resolve(socket)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  for (const socket of guests.values()) socket.destroy()
  server.close()
})

/** A line of a script: connects to the test under a name, and stays. */
function say(name: string): string {
  const { port } = server.address() as { port: number }
  return `require('net').connect(${port}, '127.0.0.1', function () { this.write('${name}') }).on('error', () => {});`
}
/** A line of a script: starts another script as a child. */
function start(script: string, options = "{ stdio: 'inherit' }"): string {
  return `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(script)}], ${options});`
}

const here = (name: string) => within(arrival(name).promise, `${name} to live`)
async function gone(name: string): Promise<void> {
  const socket = await here(name)
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  if (!socket.destroyed) await within(closed, `${name} to be gone`)
}

describe('what a process is given and what it answers', () => {
  test('its words as they are, its folder, its environment alone, and no input', async () => {
    const script = `
      process.stdin.on('data', () => console.log('input')).on('end', () => {
        console.log(JSON.stringify([process.argv.slice(1), process.cwd(), process.env]))
      })`
    const args = ['-e', script, 'a b', '$HOME', '*', "it's", '']
    const end = await runCommand(
      command('', { args, cwd: dirname(process.execPath), env: { ONLY: 'this' } }),
      nodeClock,
    )
    expect(end).toMatchObject({ exitCode: 0, signal: null, cut: 0 })
    expect(JSON.parse(end.output)).toEqual([args.slice(2), dirname(process.execPath), { ONLY: 'this' }])
  })

  test('both of its outputs and its exit code', async () => {
    const end = await runCommand(command("console.error('e'); console.log('ö'); process.exitCode = 7"), nodeClock)
    expect([...end.output.trim().split('\n')].sort()).toEqual(['e', 'ö'])
    expect(end.exitCode).toBe(7)
  })

  test('the signal that ended it', async () => {
    const end = await runCommand(command("process.kill(process.pid, 'SIGKILL')"), nodeClock)
    expect(end).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
  })

  test.each([
    [99, 0],
    [100, 0],
    [101, 1],
    [5_000, 4_900],
  ])('of %i characters with room for 100, %i are left out of the middle', async (length, cut) => {
    const script = `process.stdout.write('h' + 'm'.repeat(${length - 2}) + 't')`
    const end = await runCommand(command(script, { outputLengthMax: 100 }), nodeClock)
    expect(end.cut).toBe(cut)
    expect([end.output[0], end.output.at(-1)]).toEqual(['h', 't'])
    if (cut > 0) expect(end.output).toContain(`\n… (${cut} characters left out) …\n`)
    expect(end.output.replace(/\n….*…\n/, '').length).toBe(length - cut)
  })
})

describe('what cannot be started', () => {
  test.each([
    ['a file that is not there', { executable: '/nowhere/at-all' }, 'NOT_FOUND'],
    ['a folder that is not there', { cwd: '/nowhere/at-all' }, 'NOT_FOUND'],
    ['a file that is no program', { executable: fileURLToPath(import.meta.url) }, 'UNAVAILABLE'],
    ['a word that no process can be given', { args: ['a\0b'] }, 'UNAVAILABLE'],
  ])('%s: is said, and that nothing was run', async (_, extra, code) => {
    const failed = runCommand(command('', extra), nodeClock)
    await expect(failed).rejects.toMatchObject({ code, outcome: 'not-started' })
    await expect(failed).rejects.toThrow('could not be started')
  })

  test('nothing is started for one who has given up already', async () => {
    const abort = new AbortController()
    abort.abort(new Error('over'))
    await expect(runCommand(command(say('late'), { signal: abort.signal }), nodeClock)).rejects.toThrow('over')
    expect(guests.size).toBe(0)
  })
})

describe('its end', () => {
  test('W6: an abort ends the process and what it started', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const end = runCommand(command(start(say('grandchild')) + say('child'), { signal: abort.signal }), clock)
    await Promise.all([here('child'), here('grandchild')])
    abort.abort()
    expect(await within(end, 'the end of the command')).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
    await Promise.all([gone('child'), gone('grandchild')])
    expect(clock.timers).toBe(0)
  })

  test('W6: who does not heed SIGTERM is killed after 2 s, by the clock of the world', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const stubborn = (name: string) => `process.on('SIGTERM', () => { ${say(`${name} heard`)} }); ${say(name)}`
    const script = start(stubborn('grandchild')) + stubborn('child')
    const end = runCommand(command(script, { signal: abort.signal }), clock)
    await Promise.all([here('child'), here('grandchild')])
    abort.abort()
    await Promise.all([here('child heard'), here('grandchild heard')])
    await clock.advance(1_999)
    expect([guests.get('child')?.destroyed, guests.get('grandchild')?.destroyed]).toEqual([false, false])
    await clock.advance(1)
    expect(await within(end, 'the end of the command')).toMatchObject({ signal: 'SIGKILL' })
    await Promise.all([gone('child'), gone('grandchild')])
    expect(clock.timers).toBe(0)
  })

  test('what a process leaves behind in its group ends with it', async () => {
    const script = `${start(say('left behind')).replace(/;$/, '.unref();')} ${say('leader')}`
    const end = runCommand(command(script), nodeClock)
    const [leader] = await Promise.all([here('leader'), here('left behind')])
    // Whose connection ends has nothing left to do.
    leader.destroy()
    expect(await within(end, 'the end of the command')).toMatchObject({ exitCode: 0, signal: null })
    await gone('left behind')
  })

  test('who left the group is not waited for, though it holds the output', async () => {
    const clock = new FakeClock()
    const patience = Promise.withResolvers<void>()
    const watched: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (delayMs, callback) => {
        patience.resolve()
        return clock.after(delayMs, callback)
      },
    }
    const daemon = start(say('daemon'), "{ detached: true, stdio: 'inherit' }").replace(/;$/, '.unref();')
    const end = runCommand(command(`${daemon} ${say('leader')} process.stdout.write('said')`), watched)
    const [alive, leader] = await Promise.all([here('daemon'), here('leader')])
    leader.destroy()
    await within(patience.promise, 'the leader to be gone')
    await clock.advance(2_000)
    expect(await within(end, 'the end of the command')).toMatchObject({ exitCode: 0, output: 'said' })
    expect(alive.destroyed).toBe(false)
    alive.destroy()
  })

  test('what runs ends with the gateway, also where that ends at once', async () => {
    const orphan = { executable: process.execPath, args: ['-e', say('orphan')], cwd: '/', env: {}, outputLengthMax: 1 }
    const script = `
      import(${JSON.stringify(new URL('../../src/base/node/processes.ts', import.meta.url).href)}).then(({ runCommand }) => {
        runCommand({ ...${JSON.stringify(orphan)}, signal: new AbortController().signal }, {})
        ${say('gateway').replace(/;$/, ".on('close', () => process.exit(1));")}
      })`
    const end = runCommand(command(script), nodeClock)
    const [gateway] = await Promise.all([here('gateway'), here('orphan')])
    gateway.destroy()
    expect(await within(end, 'the end of the gateway')).toMatchObject({ exitCode: 1 })
    await gone('orphan')
  })
})

describe('where a command is found', () => {
  const bin = dirname(process.execPath)
  const find = (name: string, path: string, cwd = '/') => findExecutable(name, { path, cwd })

  test('by name on PATH, in its order; by path from the folder; never in the folder by name', async () => {
    expect(await find('node', `/nowhere:${bin}`)).toBe(`${bin}/node`)
    expect(await find('./node', '/nowhere', bin)).toBe(`${bin}/node`)
    expect(await find(`${bin}/../${bin.split('/').at(-1)}/node`, '/nowhere')).toBe(`${bin}/node`)
    expect(await find('node', `.:${relative(process.cwd(), bin)}`, bin)).toBeUndefined()
  })

  test.each(['', '.', '..', 'no-such-command'])('%j is no command', async name => {
    expect(await find(name, bin)).toBeUndefined()
  })

  test('a file that may not be run, and a folder, are none', async () => {
    expect(await find(fileURLToPath(import.meta.url), bin)).toBeUndefined()
    expect(await find(bin, bin)).toBeUndefined()
  })
})
