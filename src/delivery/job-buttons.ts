// The buttons under a chat's list of jobs, and what it means to press one. A press is one call of one method with the scope
// that this one declares, under the press's own key, and only for a job that this chat's session made. What cannot be taken
// back is asked once more, by a message of its own: nothing is kept but the buttons themselves.
import { declarationOf, type MethodName, type ParamsInput, type Result } from '../protocol/catalogue.ts'
import type { Job } from '../protocol/job.ts'
import type { Buttons } from '../store/rows.ts'
import type { Press, ReceiverParts } from './receiver.ts'

const ACTION = /^job-(run|pause|resume|ask|remove):(\S+)$/
const LABEL_LENGTH_MAX = 24
const GONE = 'This chat has no such job any more.'

/** A row for each job whose actions fit; undefined where none does, or the channel has no buttons. */
export function jobButtons(jobs: readonly Job[], actionBytesMax: number): Buttons | undefined {
  const rows = jobs.filter(({ id }) => `job-remove:${id}`.length <= actionBytesMax).map(rowOf)
  return rows.length === 0 ? undefined : rows
}

function rowOf({ id, name, enabled }: Job): Buttons[number] {
  const short = [...name].slice(0, LABEL_LENGTH_MAX).join('')
  return [
    { label: `Run ${short}`, action: `job-run:${id}` },
    enabled ? { label: 'Pause', action: `job-pause:${id}` } : { label: 'Resume', action: `job-resume:${id}` },
    { label: 'Remove', action: `job-ask:${id}` },
  ]
}

/** What the person is shown of it in passing; undefined: it is no button of a job. Rejects where the method does. */
export async function pressedJob(parts: ReceiverParts, press: Press): Promise<string | undefined> {
  const [, verb, id = ''] = ACTION.exec(press.action) ?? []
  if (verb === undefined) return undefined
  const job = parts.store.read.job(id)?.job
  if (job?.sessionKey === undefined || job.sessionKey !== parts.sessionOf(press)) return GONE
  return await done(parts, press, { verb, job })
}

type Wanted = { readonly verb: string; readonly job: Job }

async function done(parts: ReceiverParts, press: Press, { verb, job }: Wanted): Promise<string> {
  const { channelId, chatId, pressId } = press
  const { id } = job
  const route = { channelId, chatId, textLengthMax: parts.textLengthMax }
  const call = async <M extends MethodName>(method: M, params: ParamsInput<M>) => {
    const from = { key: `press:${pressId}`, route, scopes: new Set([declarationOf(method).scope]) }
    return (await parts.call(method, params as object, from)) as Result<M>
  }
  switch (verb) {
    case 'run': {
      const { ran } = await call('cron.run', { id, mode: 'force' })
      return ran ? 'It runs.' : 'It runs already.'
    }
    case 'pause':
      await call('cron.update', { id, patch: { enabled: false } })
      return 'Paused.'
    case 'resume':
      await call('cron.update', { id, patch: { enabled: true } })
      return 'It goes on.'
    case 'remove':
      await call('cron.remove', { id })
      return 'Removed.'
    default: {
      const buttons = [[{ label: 'Yes, remove it', action: `job-remove:${id}` }]]
      const text = `Remove the job "${job.name}" for good? If not, do nothing.`
      const owed = { id: `control:${channelId}:${chatId}:press:${pressId}`, sessionKey: parts.sessionOf(press) }
      await parts.store.write.queueControl({ ...owed, route, text, buttons, nowMs: parts.clock.now() })
      parts.poke()
      return 'Sure?'
    }
  }
}
