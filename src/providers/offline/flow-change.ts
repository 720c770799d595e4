// The flow that moves a job: find it in a fresh list, work out its new schedule, update, confirm. A time alone keeps
// the day or the recurrence of the job, a day alone keeps its time; what would need a guess is refused.
import { wallTime } from '../../base/zoned-time.ts'
import type { JobPatch, Schedule } from '../../protocol/job.ts'
import { dateIn } from '../../words/calendar.ts'
import { EVERY_DAY } from '../../words/recurrence.ts'
import { type Here, type Resolved, resolveWhen, zoneOf } from '../../words/resolve.ts'
import { missingIn, type WhenSpec } from '../../words/when.ts'
import { lastStep } from './conversation.ts'
import { whenInWords } from './flow-remind.ts'
import { findJob } from './flow-targets.ts'
import type { Intent } from './intent.ts'
import { type JobView, readJob } from './jobs.ts'
import { askBack } from './replies.ts'
import { call, type Decision, failureOf, type Scene, say } from './scene.ts'

export function change(scene: Scene, { target, when }: Extract<Intent, { kind: 'change' }>): Decision {
  const done = lastStep(scene.steps, 'cron', 'update')
  if (done) {
    const failure = failureOf(done)
    const job = readJob(done.result?.data)
    if (failure || !job) return say(failure ?? 'The gateway took it but did not show the job.')
    return say(`Moved: I will say “${job.text || job.name}” ${whenInWords(scene, job, when)}`)
  }
  const found = findJob(scene, target, true)
  if ('decision' in found) return found.decision
  const moved = movedSchedule(found.job, when, scene)
  if (!moved.ok) return say(askBack({ why: moved.problem }))
  return call(scene, 'cron', { action: 'update', jobId: found.job.id, patch: patchFor(found.job, moved.schedule) })
}

/** A job that turns from single to recurring, or back, also changes whether it goes once it has run. */
function patchFor(job: JobView, schedule: Schedule): JobPatch {
  const single = schedule.kind === 'at'
  return single === (job.schedule?.kind === 'at') ? { schedule } : { schedule, deleteAfterRun: single }
}

function movedSchedule(job: JobView, when: WhenSpec, here: Here): Resolved {
  const { schedule } = job
  if (missingIn(when) === undefined && (when.recur || when.delay || when.date)) return resolveWhen(when, here)
  if (when.times && schedule?.kind === 'at') {
    const { year, month, day } = dateIn(schedule.atMs, zoneOf(when, here))
    return resolveWhen({ ...when, date: { kind: 'month-day', year, month, day } }, here)
  }
  if (when.times && schedule?.kind === 'cron') return movedCron(schedule, when, here)
  if (when.times) return { ok: false, problem: 'That job comes at an interval; say for example `every day at 18:00`.' }
  if (when.date && !when.part && schedule?.kind === 'at') {
    const { hour, minute, second } = wallTime(schedule.atMs, zoneOf(when, here))
    return resolveWhen({ ...when, times: [{ hour, minute, second, fixed: true }] }, here)
  }
  return resolveWhen(when, here)
}

/** The new minute and hour with the days of the old line. */
function movedCron(schedule: Extract<Schedule, { kind: 'cron' }>, when: WhenSpec, here: Here): Resolved {
  const fields = schedule.expr.trim().split(/\s+/)
  const zone = when.zone ?? schedule.tz ?? here.zone
  const daily = resolveWhen({ ...when, zone, recur: { kind: 'weekdays', weekdays: EVERY_DAY } }, here)
  if (!daily.ok || daily.schedule.kind !== 'cron') return daily
  if (fields.length !== 5) return { ok: false, problem: 'That job has a cron line with seconds, which I cannot move.' }
  const [minute, hour] = daily.schedule.expr.split(' ')
  return { ok: true, schedule: { ...daily.schedule, expr: [minute, hour, ...fields.slice(2)].join(' ') } }
}
