// Whether a provider refused a request because it is longer than its model takes. Only what it says in so many words
// counts: by its own code, or by a sentence that providers are known to use. Any other refusal is some other refusal.
import type { APICallError } from '@ai-sdk/provider'

const REFUSED = [400, 413, 422]
const SAYS_SO =
  /context_length_exceeded|maximum context length|(exceeds?|over) the (available |maximum |model'?s )?context (size|window|length)|context (window|length) (is )?exceeded|prompt is too long|input token count .{0,40}exceeds the maximum|input length and .?max_tokens.? exceed context/i

export function isTooLong(error: APICallError): boolean {
  if (error.statusCode === undefined || !REFUSED.includes(error.statusCode)) return false
  return SAYS_SO.test(`${error.message} ${error.responseBody ?? ''}`)
}
