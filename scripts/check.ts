// `npm run check`: types, style, the map of src/, and dead code, side by side on two cores. One line per tool, and the
// whole output of those that failed. It changes no file, and reports nothing as passed that looked at nothing.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CORES = 2

interface Result {
  readonly ok: boolean
  readonly output: string
}

interface Tool {
  readonly name: string
  readonly run: () => Promise<Result>
}

interface CruiseReport {
  readonly modules: readonly { readonly source: string }[]
  readonly summary: {
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
      readonly cycle?: readonly { readonly name: string }[]
    }[]
  }
}

/** Runs a package's own script with the Node that runs us, so that no other Node on PATH matters. */
function run(script: string, args: readonly string[]): Promise<Result & { stdout: string }> {
  return new Promise((resolve, reject) => {
    const path = `${join(ROOT, 'node_modules/.bin')}:${dirname(process.execPath)}:${process.env.PATH}`
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', script), ...args], {
      cwd: ROOT,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', code => resolve({ ok: code === 0, stdout, output }))
  })
}

function countSources(): number {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
    .length
}

/** With a TypeScript that it does not know, dependency-cruiser sees no module and passes; so we count. */
async function cruise(): Promise<Result> {
  const folders = ['src', 'web', 'test', 'bench', 'scripts'].filter(folder => existsSync(join(ROOT, folder)))
  const script = 'dependency-cruiser/bin/dependency-cruise.mjs'
  const { stdout, output } = await run(script, ['--output-type', 'json', ...folders])
  if (!stdout.startsWith('{')) return { ok: false, output }
  const { modules, summary }: CruiseReport = JSON.parse(stdout)
  const lines = summary.violations.map(({ rule, from, to, cycle }) => {
    const path = cycle ? cycle.map(step => step.name) : from === to ? [] : [to]
    return `${rule.name}: ${[from, ...path].join(' -> ')}`
  })
  const seen = modules.filter(module => /^src\/.*\.ts$/.test(module.source)).length
  const expected = countSources()
  if (seen < expected)
    lines.push(`saw ${seen} modules under src/, which has ${expected} files: the map was not checked`)
  return { ok: lines.length === 0, output: lines.join('\n') }
}

const TOOLS: readonly Tool[] = [
  { name: 'tsc', run: () => run('typescript/bin/tsc', ['--noEmit']) },
  { name: 'biome', run: () => run('@biomejs/biome/bin/biome', ['check', '--error-on-warnings']) },
  { name: 'map', run: cruise },
  { name: 'knip', run: () => run('knip/bin/knip.js', ['--no-progress', '--no-config-hints']) },
]

const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`

async function check(): Promise<void> {
  const startedMs = performance.now()
  const waiting = [...TOOLS]
  const worker = async () => {
    for (let tool = waiting.shift(); tool; tool = waiting.shift()) {
      const toolStartedMs = performance.now()
      const { ok, output } = await tool.run()
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${tool.name.padEnd(6)} ${seconds(toolStartedMs)}`)
      if (ok) continue
      console.log(output.trimEnd())
      process.exitCode = 1
    }
  }
  await Promise.all(Array.from({ length: CORES }, worker))
  console.log(`check ${process.exitCode ? 'failed' : 'passed'} in ${seconds(startedMs)}`)
}

await check()
