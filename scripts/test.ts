// `npm test`: the checks, a fresh bundle, then every test; the last line printed is the totals, counted from vitest's
// own report. With arguments (`npm test -- test/tidy.test.ts`) vitest alone runs, with them. A failed check does not
// hide the tests' results, and no failure is left out of the totals or the exit code.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The part that we read of vitest's JSON report. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly { status: string }[] }[]
}

/** Runs a script with the Node that runs us; answers its exit code, and 1 where a signal ended it. */
function node(script: string, args: readonly string[] = []): number {
  const { status, error } = spawnSync(process.execPath, [join(ROOT, script), ...args], { cwd: ROOT, stdio: 'inherit' })
  if (error) throw error
  return status ?? 1
}

function printTotals(reportFile: string, exitCode: number): void {
  if (!existsSync(reportFile)) {
    console.log('vitest ended without a report: no totals')
    return
  }
  const report: Report = JSON.parse(readFileSync(reportFile, 'utf8'))
  // A file that did not load, or whose hooks failed, has no failed test of its own: it counts as one.
  const brokenFiles = report.testResults.filter(
    file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'),
  ).length
  const failed = report.numFailedTests + brokenFiles
  const skipped = report.numPendingTests + report.numTodoTests
  if (skipped > 0) console.log(`${skipped} skipped`)
  if (exitCode !== 0 && failed === 0) console.log('vitest failed outside of any test: see above')
  console.log(`${report.numPassedTests} passed, ${failed} failed`)
}

function vitest(args: readonly string[], beforeTotals: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  const reportFile = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
    const exitCode = node('node_modules/vitest/vitest.mjs', ['run', ...reporters, ...args])
    if (beforeTotals) console.log(beforeTotals)
    printTotals(reportFile, exitCode)
    return exitCode
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const args = process.argv.slice(2)
const checked = args.length > 0 || node('scripts/check.ts') === 0
const built = node('scripts/build.ts', ['--if-stale']) === 0
const trouble = `${checked ? '' : 'the checks failed; '}${built ? '' : 'the bundle was not built; '}`
const testsExitCode = vitest(args, trouble && `${trouble}see above`)
process.exitCode = testsExitCode || (trouble ? 1 : 0)
