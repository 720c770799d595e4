// The refusal of a job that is to fire after one that is not there; one that a caller may not see is not there for it.
import { SluiceError } from '../base/errors.ts'

export function noFirstJob(jobId: string): SluiceError {
  return waitRefused(`there is no job "${jobId}" to wait for (at /schedule/job, which is the id of one)`, jobId)
}

export function waitRefused(why: string, jobId: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', `${why}. Nothing was changed.`, {
    details: { jobId },
    outcome: 'not-started',
  })
}
