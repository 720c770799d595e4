// The gateway of the chaos run: composed as main.ts composes it, with two channels beside it whose services are files.
// Its stdin is the people who write there, and the wish to stop; it ends with its parent, however that ended.
import { createInterface } from 'node:readline'
import { nodeWorld } from '../../src/base/node/world.ts'
import { locate } from '../../src/config/locate.ts'
import { startGateway } from '../../src/gateway.ts'
import { type ChannelId, fileChannel } from './file-channel.ts'
import { give, stateDirOf } from './signs.ts'

/** A line of stdin. */
export type Order =
  | { readonly order: 'say'; readonly id: string; readonly channel: ChannelId; readonly chatId: string; text: string }
  | { readonly order: 'stop' }

const folder = process.argv[2] as string
const places = locate({ SLUICE_STATE_DIR: stateDirOf(folder) }, folder)
const channels = { dedupes: fileChannel(folder, 'dedupes'), plain: fileChannel(folder, 'plain') }

const running = await startGateway({
  places,
  env: process.env,
  launcher: `${folder}/bin/sluice`,
  world: nodeWorld,
  portOverride: 0,
  channels: Object.values(channels),
})

async function obey(order: Order): Promise<void> {
  if (order.order === 'stop') {
    await running.close('asked')
    process.exit(0)
  }
  const { id, channel, chatId, text } = order
  try {
    await channels[channel].say({ messageId: id, chatId, from: { id: 'person' }, text, atMs: Date.now() })
    give({ sign: 'taken', id })
  } catch (error) {
    give({ sign: 'refused', id, error: String(error) })
  }
}

const lines = createInterface({ input: process.stdin })
lines.on('line', line => void obey(JSON.parse(line)))
lines.on('close', () => process.exit(1))
void running.failed.then(error => {
  console.error(error)
  process.exit(1)
})
give({ sign: 'started', url: running.url })
