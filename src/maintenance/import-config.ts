// A Clawdbot config as a patch of ours: keys that mean the same here and are not set here yet. Where the gateway listens
// and who is let in is never taken over. Pure but for the judge it is handed.
import { reportKeys } from '../config/known-keys.ts'
import { valueAt } from '../config/secrets.ts'

type Fields = Readonly<Record<string, unknown>>

export interface PlannedKey {
  readonly path: string
  /** Undefined: it is taken over. */
  readonly why?: string
}

export interface PlannedConfig {
  readonly patch: Fields
  readonly keys: readonly PlannedKey[]
}

const OWN = 'where this gateway listens and whom it lets in is its own'

interface Leaf {
  readonly path: readonly string[]
  readonly value: unknown
}

/** `wrongPaths` answers which keys of a patch this Sluice would refuse; own: the config that is here, as written. */
export function plannedConfig(
  theirs: unknown,
  own: unknown,
  wrongPaths: (patch: Fields) => readonly { readonly path: string; readonly message: string }[],
): PlannedConfig {
  const { unused, unknown } = reportKeys(theirs)
  const without = [
    ...unused.map(path => ({ path, why: 'understood, but not used by this version' })),
    ...unknown.map(({ path }) => ({ path, why: 'not known' })),
  ]
  const found = leavesOf(theirs, [])
  const judged = found.map(leaf => ({ leaf, why: whyNot(leaf, { without, own }) }))
  const wanted = judged.filter(({ why }) => why === undefined).map(({ leaf }) => leaf)
  const wrong = wrongPaths(patchOf(wanted))
  const taken = wanted.filter(leaf => !wrong.some(({ path }) => touches(path, nameOf(leaf))))
  const keys = judged.map(({ leaf, why }) => {
    const path = nameOf(leaf)
    const refused = wrong.find(each => touches(each.path, path))
    const reason = why ?? (refused && `refused: ${refused.message}`)
    return { path, ...(reason !== undefined && { why: reason }) }
  })
  return { patch: patchOf(taken), keys }
}

function whyNot(leaf: Leaf, { without, own }: { without: readonly PlannedKey[]; own: unknown }): string | undefined {
  const name = nameOf(leaf)
  if (leaf.path[0] === 'gateway') return OWN
  const left = without.find(({ path }) => name === path || name.startsWith(`${path}.`))
  if (left) return left.why
  const here = valueAt(own, leaf.path)
  if (here === undefined) return undefined
  return JSON.stringify(here) === JSON.stringify(leaf.value) ? 'is so already' : 'is set otherwise here, which stays'
}

/** Values that are no objects; a list is one value. */
function leavesOf(value: unknown, path: readonly string[]): Leaf[] {
  if (value === null || value === undefined) return []
  if (typeof value !== 'object' || Array.isArray(value)) return path.length === 0 ? [] : [{ path, value }]
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, [...path, key]))
}

function patchOf(leaves: readonly Leaf[]): Fields {
  const patch: Record<string, unknown> = {}
  for (const { path, value } of leaves) {
    let place = patch
    for (const key of path.slice(0, -1)) {
      if (!Object.hasOwn(place, key)) place[key] = {}
      place = place[key] as Record<string, unknown>
    }
    place[path.at(-1) as string] = value
  }
  return patch
}

/** A wrong value within a list makes the list wrong, and one of a whole makes its parts wrong. */
function touches(wrong: string, leaf: string): boolean {
  return wrong === leaf || wrong.startsWith(`${leaf}.`) || leaf.startsWith(`${wrong}.`)
}

function nameOf({ path }: Leaf): string {
  return path.join('.')
}
