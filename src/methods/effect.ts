// Effects that no commit of the store can hold, such as a file or a restart (replay `none`, T1): that they begin is on
// disk before, their answer after. A repeat is answered with the first answer, or told that nobody knows; never done again.
import { SluiceError } from '../base/errors.ts'
import type { CallKey } from '../dispatch/dispatcher.ts'
import type { MethodParts } from './parts.ts'

export interface EffectCall {
  readonly key: CallKey | undefined
  readonly signal: AbortSignal
}

/** `make` throws with outcome `not-started` where nothing was done; any other error leaves what was done unknown. */
export async function effectOnce<T>(
  { store, clock }: Pick<MethodParts, 'store' | 'clock'>,
  { key, signal }: EffectCall,
  make: () => T,
): Promise<T> {
  if (!key) return make()
  const { value: begun } = await store.write.beginEffect({ key, nowMs: clock.now() }, { signal })
  if (begun.state === 'done') return begun.answer as T
  if (begun.state === 'unknown') throw unknownEffect(key)
  // The effect is as it is, whether or not this can be written; where it cannot, a repeat is told that nobody knows.
  const finish = (end: { answer: T } | { undone: true }) =>
    store.write.finishEffect({ key, ...end, nowMs: clock.now() }).catch(() => undefined)
  let answer: T
  try {
    answer = make()
  } catch (error) {
    if (error instanceof SluiceError && error.outcome === 'not-started') await finish({ undone: true })
    throw error
  }
  await finish({ answer })
  return answer
}

function unknownEffect({ method, key }: CallKey): SluiceError {
  return new SluiceError(
    'CONFLICT',
    `${method} was begun before under the key ${key}, and how it ended is not known. It is not done again: look at the config and the status, then ask under a new key if it is still needed.`,
    { details: { key }, outcome: 'unknown' },
  )
}
