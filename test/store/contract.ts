// The contract of the Store port, run on every adapter. A test is a name that begins with the invariant that it
// guards, and a function of a bench.
import { describe, test } from 'vitest'
import { approvalTests } from './contract-approvals.ts'
import { blobTests } from './contract-blobs.ts'
import { eventTests } from './contract-events.ts'
import { handoverTests } from './contract-handover.ts'
import { jobTests } from './contract-jobs.ts'
import { largeTests } from './contract-large.ts'
import { ledgerTests } from './contract-ledger.ts'
import { outboxTests } from './contract-outbox.ts'
import { runTests } from './contract-runs.ts'
import { sessionTests } from './contract-sessions.ts'
import { type OpenStore, type StoreTests, withBench } from './fixtures.ts'

const ALL: StoreTests = {
  ...runTests,
  ...handoverTests,
  ...approvalTests,
  ...sessionTests,
  ...eventTests,
  ...jobTests,
  ...ledgerTests,
  ...outboxTests,
  ...largeTests,
  ...blobTests,
}

export function storeContract(adapter: string, openStore: OpenStore, reopeningRuns: number): void {
  describe(adapter, () => {
    for (const [name, run] of Object.entries(ALL)) test(name, () => withBench(openStore, run, reopeningRuns))
  })
}
