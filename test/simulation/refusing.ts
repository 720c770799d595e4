// A disk that now and then does not take what is written of a send or of a channel's message: it says that nothing was
// written, or that nobody knows, and then it was.
import { SluiceError } from '../../src/base/errors.ts'
import type { Store } from '../../src/store/port.ts'
import { withWrites } from './planting.ts'

export function refusing(store: Store, refuses: () => 'no' | 'refused' | 'in doubt'): Store {
  const failed = (outcome: 'not-started' | 'unknown') =>
    new SluiceError('STORE_FAILED', 'The disk is busy.', { outcome })
  const tried = async <T>(write: () => Promise<T>): Promise<T> => {
    const how = refuses()
    if (how === 'refused') throw failed('not-started')
    const answer = await write()
    if (how === 'in doubt') throw failed('unknown')
    return answer
  }
  return withWrites(write => ({
    claimSend: args => tried(() => write.claimSend(args)),
    endSend: args => tried(() => write.endSend(args)),
    queueControl: args => tried(() => write.queueControl(args)),
    resend: (args, options) => tried(() => write.resend(args, options)),
    acceptMessage: (args, options) => {
      // In doubt it is asked again, or found by the next start; until then it rightly is not carried.
      if (args.route && refuses() === 'refused') return Promise.reject(failed('not-started'))
      return write.acceptMessage(args, options)
    },
  }))(store)
}
