// The one map from a write's name to its function; it does not compile while one is missing.

import { handoverWrites } from './handover.ts'
import { peopleWrites } from './people.ts'
import { retentionWrites } from './retention.ts'
import type { WriteFunctions } from './tx.ts'
import { approvalWrites } from './writes-approvals.ts'
import { deviceWrites } from './writes-devices.ts'
import { effectWrites } from './writes-effects.ts'
import { jobWrites } from './writes-jobs.ts'
import { occurrenceWrites } from './writes-occurrences.ts'
import { outboxWrites } from './writes-outbox.ts'
import { runWrites } from './writes-runs.ts'
import { sessionAdminWrites } from './writes-session-admin.ts'
import { sessionWrites } from './writes-sessions.ts'

export const WRITES: WriteFunctions = {
  ...runWrites,
  ...handoverWrites,
  ...approvalWrites,
  ...effectWrites,
  ...deviceWrites,
  ...peopleWrites,
  ...jobWrites,
  ...occurrenceWrites,
  ...sessionWrites,
  ...sessionAdminWrites,
  ...outboxWrites,
  ...retentionWrites,
}
