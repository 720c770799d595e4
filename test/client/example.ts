// The example of docs/guides/client.md, line for line: says something to the main session and prints what it is answered.
import { openClient } from '../../src/client/library.ts'

const client = openClient({ url: process.env.SLUICE_URL ?? '', token: process.env.SLUICE_TOKEN ?? '' })
client.listen({
  event: ({ event, payload }) =>
    event === 'chat' && payload.state === 'final' && console.log(payload.message?.content[0]?.text),
})
const idempotencyKey = 'good-morning-1'
await client.call('chat.send', { sessionKey: 'main', message: 'status', idempotencyKey })
await client.call('agent.wait', { runId: idempotencyKey, timeoutMs: 60_000 })
client.close()
