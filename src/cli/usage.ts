// What a person typed and we cannot follow. Always says what is wrong and shows a line that works; exit code 2.

export class UsageError extends Error {
  readonly example: string | undefined

  constructor(message: string, example?: string) {
    super(message)
    this.name = 'UsageError'
    this.example = example
  }
}

const DISTANCE_MAX = 3

/** The candidate that a typing slip could have turned into `typed`; undefined when none is near. */
export function didYouMean(typed: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.min(DISTANCE_MAX, Math.ceil(typed.length / 2)) + 1
  for (const candidate of candidates) {
    const distance = candidate.startsWith(typed) && typed.length >= 3 ? 1 : editDistance(typed, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1]
      const above = last[column] ?? 0
      let cost = Math.min(above + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}
