// How tests run: each file in a process of its own (they load native code and start worker threads), two at a time.
// One generous bound for all: it catches a hang, and is never a measure of speed.
import { defineConfig } from 'vitest/config'

const BOUND_MS = 60_000

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // V8 keeps a map of its pages of machine code for all threads, and with memory protection keys it now and then misses
    // one where threads come and go as fast as here: the process ends with `Check failed: jit_page.has_value()` (docs/decisions/0008).
    execArgv: process.platform === 'linux' && process.arch === 'x64' ? ['--no-memory-protection-keys'] : [],
    maxWorkers: 2,
    testTimeout: BOUND_MS,
    hookTimeout: BOUND_MS,
    teardownTimeout: BOUND_MS,
  },
})
