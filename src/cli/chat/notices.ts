// Texts that were left for a person, such as reminders: how they are shown, and that they were. One that was shown and not
// yet confirmed as read comes again at worst; none is confirmed before it was shown.
import type { World } from '../../base/world.ts'
import { sanitize } from '../text/sanitize.ts'
import { clockTime, recentTime } from '../text/times.ts'
import type { LastingLink } from './link.ts'
import type { Transcript } from './transcript.ts'

/** `⏰ 14:03 stretch` */
export function liveNotice({ atMs, text }: { atMs: number; text: string }, zone: string): string {
  return `⏰ ${clockTime(atMs, zone)} ${sanitize(text).trim()}`
}

/** The id under which the reply of one's own message waits until it was shown. */
export function replyId(runId: string): string {
  return `reply:${runId}`
}

/** What is unread and new to us, but for questions, as lines under a heading; marks it as read once `show` has shown it. */
export async function showUnread(
  link: LastingLink,
  chat: { sessionKey: string; zone: string; transcript: Transcript; clock: World['clock'] },
  show: (lines: string[]) => void,
): Promise<void> {
  const { notices } = await link.call('chat.unread', { sessionKey: chat.sessionKey })
  const fresh = notices
    .filter(({ id, source }) => source !== 'approval' && chat.transcript.isNewNotice(id))
    .sort((a, b) => a.atMs - b.atMs)
  if (fresh.length === 0) return
  const nowMs = chat.clock.now()
  show([
    'While you were away:',
    ...fresh.map(({ atMs, text, source }) => {
      const sign = source === 'reply' ? '↳' : '⏰'
      return `  ${sign} ${recentTime(atMs, nowMs, chat.zone)} ${sanitize(text).trim()}`
    }),
  ])
  await markRead(
    link,
    fresh.map(({ id }) => id),
  )
}

export async function markRead(link: LastingLink, ids: string[]): Promise<void> {
  // What is not marked now is unread still, and comes again.
  await link.call('chat.markRead', { ids }).catch(() => undefined)
}
