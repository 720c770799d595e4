// The one map from a write's name to its function; it does not compile while one is missing.

import type { WriteFunctions } from './tx.ts'
import { jobWrites } from './writes-jobs.ts'
import { occurrenceWrites } from './writes-occurrences.ts'
import { runWrites } from './writes-runs.ts'
import { sessionWrites } from './writes-sessions.ts'

export const WRITES: WriteFunctions = { ...runWrites, ...jobWrites, ...occurrenceWrites, ...sessionWrites }
