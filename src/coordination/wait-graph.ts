// The wait-for graph: who waits for what, and who holds it. An edge that would close a cycle is refused before anyone
// waits, with the cycle in words (W4). Only lanes, runs and approvals are nodes; counted slots never are, because no
// holder of a slot waits while it holds one (W5). It knows no time-outs and wakes nobody.
import { SluiceError } from '../base/errors.ts'

/** `run:<id>`, `lane:<session key>` or `approval:<id>`. */
export type WaitNode = `run:${string}` | `lane:${string}` | `approval:${string}`

export interface WaitEdge {
  readonly waiter: WaitNode
  readonly target: WaitNode
  /** Instant since when, by the wall clock. */
  readonly sinceMs: number
  /** Instant at which the wait gives up; absent where it has no bound of its own. */
  readonly untilMs?: number
}

export class WaitGraph {
  readonly #edges = new Map<WaitNode, Set<WaitEdge>>()
  /** What a resource's waiters really wait for: the run that holds the lane. */
  readonly #holders = new Map<WaitNode, WaitNode>()
  /** Names for people: `run:x` -> `the turn of agent:main:main`. */
  readonly #names = new Map<WaitNode, string>()
  #refused = 0
  #onChange: () => void = () => undefined

  /** Records an edge, or throws WOULD_DEADLOCK with `details.cycle` when it would close a cycle. */
  add(edge: WaitEdge): void {
    const path = this.#path(edge.target, edge.waiter)
    if (path) {
      this.#refused += 1
      throw this.#refusal([edge.waiter, ...path])
    }
    const edges = this.#edges.get(edge.waiter) ?? new Set()
    edges.add(edge)
    this.#edges.set(edge.waiter, edges)
    this.#onChange()
  }

  remove(edge: WaitEdge): void {
    const edges = this.#edges.get(edge.waiter)
    if (!edges?.delete(edge)) return
    if (edges.size === 0) this.#edges.delete(edge.waiter)
    this.#onChange()
  }

  /** A holder gets its resource; its waiters now wait for it. Undefined frees the resource. */
  hold(resource: WaitNode, holder: WaitNode | undefined): void {
    if (holder === undefined) this.#holders.delete(resource)
    else this.#holders.set(resource, holder)
  }

  name(node: WaitNode, name: string | undefined): void {
    if (name === undefined) this.#names.delete(node)
    else this.#names.set(node, name)
  }

  /** Called after each edge that came or went. */
  onChange(listener: () => void): void {
    this.#onChange = listener
  }

  /** Whether `waiter` stands waiting for just `target`. */
  has(waiter: WaitNode, target: WaitNode): boolean {
    return [...(this.#edges.get(waiter) ?? [])].some(edge => edge.target === target)
  }

  list(): WaitEdge[] {
    return [...this.#edges.values()].flatMap(edges => [...edges])
  }

  nameOf(node: WaitNode): string {
    return this.#names.get(node) ?? node.replace(/^lane:/, 'session ')
  }

  get refusedCount(): number {
    return this.#refused
  }

  /** The nodes from `start` to `goal` along waits and holders, or undefined. */
  #path(start: WaitNode, goal: WaitNode): WaitNode[] | undefined {
    const cameFrom = new Map<WaitNode, WaitNode | undefined>([[start, undefined]])
    const open: WaitNode[] = [start]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node === goal) return trace(cameFrom, goal)
      for (const next of this.#waitsFor(node)) {
        if (cameFrom.has(next)) continue
        cameFrom.set(next, node)
        open.push(next)
      }
    }
    return undefined
  }

  #waitsFor(node: WaitNode): WaitNode[] {
    const targets = [...(this.#edges.get(node) ?? [])].map(edge => edge.target)
    const holder = this.#holders.get(node)
    return holder === undefined ? targets : [...targets, holder]
  }

  #refusal(cycle: readonly WaitNode[]): SluiceError {
    const steps = cycle.slice(1).map((node, index) => {
      const previous = cycle[index]
      const verb = previous?.startsWith('lane:') ? 'is held by' : 'waits for'
      return `${index === 0 ? this.nameOf(cycle[0] as WaitNode) : 'which'} ${verb} ${this.nameOf(node)}`
    })
    return new SluiceError(
      'WOULD_DEADLOCK',
      `This would wait for itself: ${steps.join(', ')}. Nothing was started. Ask without waiting instead (for sessions_send: timeoutSeconds 0).`,
      { details: { cycle }, outcome: 'not-started' },
    )
  }
}

function trace(cameFrom: ReadonlyMap<WaitNode, WaitNode | undefined>, goal: WaitNode): WaitNode[] {
  const path: WaitNode[] = []
  for (let node: WaitNode | undefined = goal; node !== undefined; node = cameFrom.get(node)) path.unshift(node)
  return path
}
