// The texts in the result of a run, as protocol 3 carries them; whatever else it carries is left alone.

export function replyTexts(result: unknown): string[] {
  const payloads = (result as { payloads?: unknown } | undefined)?.payloads
  if (!Array.isArray(payloads)) return []
  return payloads.flatMap(payload => (typeof payload?.text === 'string' && payload.text !== '' ? [payload.text] : []))
}
