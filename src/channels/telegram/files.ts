// Brings a file that a person sent, once somebody wants it: at most as many bytes as were asked for, and never more than
// the service hands out.
import { type Capabilities, ChannelError, type InboundMessage } from '../port.ts'
import { callSignal, type Service } from './service.ts'
import type { FileMark } from './updates.ts'

type InboundFile = NonNullable<InboundMessage['files']>[number]

/** What a bot may fetch. It may send more, which is no use where the port has one number. */
export const FILES: NonNullable<Capabilities['files']> = { bytesMax: 20 * 1_048_576 }

export function fileOf(service: Service, { fileId, ...shown }: FileMark): InboundFile {
  return {
    ...shown,
    fetch: async (bytesMax, signal) => {
      const most = Math.min(bytesMax, FILES.bytesMax)
      if ((shown.size ?? 0) > most) throw tooLarge(most)
      try {
        const { file_path: path } = await service.api.getFile({ file_id: fileId }, callSignal(signal))
        if (path === undefined) throw new ChannelError('permanent', 'Telegram does not hand this file out.')
        return await bytesOf(await service.download(path, signal), most)
      } catch (thrown) {
        const failure = service.failure(thrown)
        const mayCome = failure.kind === 'unconfirmed' || failure.message.includes('temporarily unavailable')
        throw mayCome ? new ChannelError('transient', failure.message) : failure
      }
    },
  }
}

async function bytesOf(response: Response, bytesMax: number): Promise<Uint8Array> {
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    const kind = response.status >= 500 || response.status === 429 ? 'transient' : 'permanent'
    throw new ChannelError(kind, `Telegram does not hand the file out: it says ${response.status}.`)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(bytesMax: number): ChannelError {
  return new ChannelError('permanent', `The file is larger than ${bytesMax} bytes.`)
}
