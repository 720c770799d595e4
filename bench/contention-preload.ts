// Loaded by `--import` ahead of the gateway's own code, in each of its threads: puts the probes of the `contention`
// bench where calls are made. The gateway itself is the one that users run and knows nothing of them.
import { isMainThread, threadName } from 'node:worker_threads'

if (isMainThread) await import('./contention-door.ts')
else if (threadName === 'sluice-runner') await import('./contention-link.ts')
