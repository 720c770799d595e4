// docs/guides/write-a-channel.md shows a channel that runs: here it is, tried by the contract.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BUSY_RETRY_AFTER_MS, type ChannelRig, channelContract, type Trouble } from './contract.ts'
import { type Post, pigeon, type Service } from './example-channel.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

test('the guide shows the channel that is tried here', () => {
  const [, shown = ''] = /```ts\n([\s\S]*?)```/.exec(read('../../docs/guides/write-a-channel.md')) ?? []
  expect(read('./example-channel.ts').split('\n').slice(1).join('\n').replace('../../src/channels/', '../')).toBe(shown)
})

async function rig(): Promise<ChannelRig> {
  const seen: { chat: string; text: string }[] = []
  let trouble: Trouble | undefined
  let take: Parameters<Parameters<Service['onMessage']>[0]>[0] extends infer M ? (message: M) => Promise<void> : never
  const show = (chat: string, text: string): Post => {
    seen.push({ chat, text })
    return { status: 200, id: `p${seen.length}` }
  }
  const service: Service = {
    onMessage: given => {
      take = given
    },
    post: async (chat, text) => {
      const now = trouble
      trouble = undefined
      if (now === 'lost') return { status: 503 }
      if (now === 'busy') return { status: 429, pauseMs: BUSY_RETRY_AFTER_MS }
      if (now === 'refused' || text.length > 2_000) return { status: 400 }
      if (now === undefined) return show(chat, text)
      show(chat, text)
      if (now === 'unanswered') throw new Error('connection reset')
      return await new Promise<never>(() => undefined)
    },
  }
  return {
    channel: pigeon(service),
    seen: chatId => seen.filter(({ chat }) => chat === chatId).map(({ text }) => text),
    say: async ({ messageId, chatId, text }) => await take({ id: messageId, chat: chatId, user: 'u', text, atMs: 1 }),
    trouble: next => {
      trouble = next
    },
  }
}

channelContract('the example of the guide', rig)
