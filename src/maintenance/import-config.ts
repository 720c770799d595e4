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

type WrongPaths = (patch: Fields) => readonly { readonly path: string; readonly message: string }[]

const OWN = 'where this gateway listens and whom it lets in is its own'

interface Leaf {
  readonly path: readonly string[]
  readonly value: unknown
}

/** `wrongPaths` answers which keys of a patch this Sluice would refuse; own: the config that is here, as written. */
export function plannedConfig(theirs: unknown, own: unknown, wrongPaths: WrongPaths): PlannedConfig {
  const { unused, unknown } = reportKeys(theirs)
  const without = [
    ...unused.map(path => ({ path, why: 'understood, but not used by this version' })),
    ...unknown.map(({ path }) => ({ path, why: 'not known' })),
  ]
  const found = leavesOf(theirs, [])
  const judged = found.map(leaf => ({ leaf, why: whyNot(leaf, { without, own }) }))
  const wanted = judged.filter(({ why }) => why === undefined).map(({ leaf }) => leaf)
  const refused = refusedOf(wanted, wrongPaths)
  const taken = wanted.filter(leaf => !refused.has(leaf))
  const keys = judged.map(({ leaf, why }) => {
    const reason = why ?? refused.get(leaf)
    return { path: nameOf(leaf), ...(reason !== undefined && { why: reason }) }
  })
  return { patch: patchOf(taken), keys }
}

/** A judge stops at what is wrong first, so it is asked again without that, until it finds nothing more. */
function refusedOf(wanted: readonly Leaf[], wrongPaths: WrongPaths): Map<Leaf, string> {
  const refused = new Map<Leaf, string>()
  for (;;) {
    const rest = wanted.filter(leaf => !refused.has(leaf))
    const wrong = wrongPaths(patchOf(rest))
    if (wrong.length === 0 || rest.length === 0) return refused
    const found = rest.flatMap(leaf => {
      const issue = wrong.find(({ path }) => touches(path, nameOf(leaf)))
      return issue ? [[leaf, `refused: ${issue.message}`] as const] : []
    })
    // What is wrong beside them, such as the config that is here, makes all of them impossible.
    const { path, message } = wrong[0] as { path: string; message: string }
    const all = rest.map(leaf => [leaf, `refused: ${`${path} ${message}`.trim()}`] as const)
    for (const [leaf, why] of found.length > 0 ? found : all) refused.set(leaf, why)
  }
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
