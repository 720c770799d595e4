// How tests run: each file in a process of its own (they load native code and start worker threads), two at a time.
// One generous bound for all: it catches a hang, and is never a measure of speed.
import { defineConfig } from 'vitest/config'

const BOUND_MS = 60_000

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Worker threads strip the types of what they load, in WebAssembly; see docs/decisions/0008.
    execArgv: ['--wasm-wrapper-tiering-budget=2147483647'],
    maxWorkers: 2,
    testTimeout: BOUND_MS,
    hookTimeout: BOUND_MS,
    teardownTimeout: BOUND_MS,
  },
})
