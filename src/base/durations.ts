// Units of time in milliseconds, and the two text forms of a duration: what people type ("90m", "1h30m")
// and what we show them. It refuses to guess: a bare number is not a duration.

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY }

/** Reads `500ms`, `30s`, `1.5h`, `1h30m`; answers milliseconds, or undefined when any part is not understood. */
export function parseDuration(text: string): number | undefined {
  const compact = text.trim().toLowerCase().replaceAll(' ', '')
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) return undefined
  let total = 0
  for (const [, amount, , unit] of compact.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN)
  }
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined
}

/** Shows a duration with at most two units: `250ms`, `45s`, `1h 30m`, `2d`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < SECOND) return `${Math.max(0, Math.round(durationMs))}ms`
  const parts: string[] = []
  let restMs = durationMs < MINUTE ? Math.round(durationMs / SECOND) * SECOND : durationMs
  for (const [unit, unitMs] of [
    ['d', DAY],
    ['h', HOUR],
    ['m', MINUTE],
    ['s', SECOND],
  ] as const) {
    const count = Math.floor(restMs / unitMs)
    restMs -= count * unitMs
    if (count > 0) parts.push(`${count}${unit}`)
    if (parts.length === 2) break
  }
  return parts.join(' ')
}
