// What the chaos run asks of a gateway: each work has a key of its own, and is asked again under it, after a kill too,
// until it was acknowledged or refused. An acknowledgement is what the checks hold the gateway to.
import type { TestClient } from '../e2e/gateway-process.ts'
import type { ChannelId } from './file-channel.ts'
import { farJob } from './model.ts'
import type { ChaosProcess } from './process.ts'

export type Verb = 'say' | 'effect' | 'job'

export type Work = { readonly key: string } & (
  | { readonly kind: 'chat'; readonly session: string; readonly verb: Verb }
  | { readonly kind: 'inbound'; readonly channel: ChannelId; readonly chatId: string; readonly verb: Verb }
  /** A job whose instant is far away: it has only to be there. */
  | { readonly kind: 'far-job' }
  /** A job that fires once, soon: a text, or a turn. */
  | { readonly kind: 'one-shot'; readonly atMs: number; readonly payload: 'message' | 'agentTurn' }
  /** The daily job, run by hand. */
  | { readonly kind: 'manual-run' }
)

export interface Ack {
  /** Of the run that answers, or of the job that was made; undefined for a job that was running already. */
  readonly id?: string
  /** Nothing here is to be refused. */
  readonly refused?: string
}

export interface Asking {
  readonly client: Pick<TestClient, 'call'>
  readonly gateway: ChaosProcess
  readonly dailyJobId: string
}

/** The run that answers a message; undefined for other works. */
export function runIdOf(work: Work): string | undefined {
  if (work.kind === 'chat') return work.key
  if (work.kind === 'inbound') return `channel:${work.channel}:${work.chatId}:${work.key}`
  return undefined
}

/** Rejects when it is not known whether it was taken: then it is asked again. */
export async function ask(work: Work, asking: Asking): Promise<Ack> {
  try {
    return await asked(work, asking)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === 'INVALID_REQUEST' || code === 'CONFLICT' || code === 'NOT_FOUND') return { refused: message }
    throw error
  }
}

async function asked(work: Work, { client, gateway, dailyJobId }: Asking): Promise<Ack> {
  const { key } = work
  switch (work.kind) {
    case 'chat': {
      const message = `${work.verb} ${key}`
      await client.call('chat.send', { sessionKey: work.session, message, idempotencyKey: key })
      return { id: key }
    }
    case 'inbound': {
      const { channel, chatId, verb } = work
      gateway.order({ order: 'say', id: key, channel, chatId, text: `${verb} ${key}` })
      const sign = await gateway.until(`message ${key} is taken`, sign => 'id' in sign && sign.id === key)
      if (sign.sign === 'refused') throw new Error(sign.error)
      return { id: runIdOf(work) as string }
    }
    case 'far-job':
      return { id: (await client.call('cron.add', { ...farJob(key), idempotencyKey: key })).id }
    case 'one-shot': {
      const { atMs, payload } = work
      const what =
        payload === 'message' ? { kind: payload, text: `text ${key}` } : { kind: payload, message: `say ${key}` }
      const job = { ...farJob(key), schedule: { kind: 'at', atMs }, payload: what } as const
      return { id: (await client.call('cron.add', { ...job, idempotencyKey: key })).id }
    }
    case 'manual-run': {
      const { runId, ran, reason } = await client.call('cron.run', {
        jobId: dailyJobId,
        mode: 'force',
        idempotencyKey: key,
      })
      if (reason === 'already-running') return {}
      return ran && runId !== undefined ? { id: runId } : { refused: reason ?? 'it answered no run' }
    }
  }
}
