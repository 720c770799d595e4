// What a client is told when a method refuses: the code and the words of the wire.
import type { MethodName } from '../../src/protocol/catalogue.ts'
import { toWireError } from '../../src/protocol/error-codes.ts'
import type { House } from '../fakes/house.ts'

export async function refusalOf(
  house: Pick<House, 'call'>,
  method: MethodName,
  params: unknown,
): Promise<{ code: string; message: string }> {
  try {
    await house.call(method, params)
  } catch (error) {
    const { code, message } = toWireError(error)
    return { code, message }
  }
  throw new Error(`${method} was not refused`)
}
