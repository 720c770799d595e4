// Colours and weights for a terminal, or none. Each mark ends itself, so that painted texts can be joined.

export type Paint = Readonly<Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', (text: string) => string>>

const mark = (on: number, off: number) => (text: string) => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`)
const plain = (text: string) => text

const PAINTED: Paint = {
  bold: mark(1, 22),
  dim: mark(2, 22),
  red: mark(31, 39),
  green: mark(32, 39),
  yellow: mark(33, 39),
  cyan: mark(36, 39),
}
const PLAIN: Paint = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }

export function paintFor(color: boolean): Paint {
  return color ? PAINTED : PLAIN
}
