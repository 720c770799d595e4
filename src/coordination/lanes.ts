// One lane per session: its turns run one at a time, in the order they were accepted. A lane holds ids only; what a
// queued turn is lives in the store. A turn holds its lane for its life (W2), and nothing else waits in here.
import type { WaitEdge, WaitGraph, WaitNode } from './wait-graph.ts'

interface Waiting {
  readonly runId: string
  readonly edge: WaitEdge
  readonly enter: () => void
}

interface Lane {
  holder: string | undefined
  readonly waiting: Waiting[]
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  readonly #graph: WaitGraph

  constructor(graph: WaitGraph) {
    this.#graph = graph
  }

  /** Queues a run; `enter` is called once, at once when the lane is free. */
  queue(sessionKey: string, runId: string, options: { nowMs: number; enter: () => void }): void {
    const lane = this.#lanes.get(sessionKey) ?? { holder: undefined, waiting: [] }
    this.#lanes.set(sessionKey, lane)
    const edge: WaitEdge = { waiter: `run:${runId}`, target: laneNode(sessionKey), sinceMs: options.nowMs }
    this.#graph.add(edge)
    lane.waiting.push({ runId, edge, enter: options.enter })
    this.#grant(sessionKey, lane)
  }

  /** Takes a run out: a queued one is never entered, the holder makes way for the next. */
  leave(sessionKey: string, runId: string): void {
    const lane = this.#lanes.get(sessionKey)
    if (!lane) return
    const index = lane.waiting.findIndex(waiting => waiting.runId === runId)
    const [queued] = index === -1 ? [] : lane.waiting.splice(index, 1)
    if (queued) this.#graph.remove(queued.edge)
    if (lane.holder === runId) {
      lane.holder = undefined
      this.#graph.hold(laneNode(sessionKey), undefined)
    }
    this.#grant(sessionKey, lane)
  }

  holder(sessionKey: string): string | undefined {
    return this.#lanes.get(sessionKey)?.holder
  }

  /** Runs queued behind the holder. */
  waiting(sessionKey: string): readonly string[] {
    return this.#lanes.get(sessionKey)?.waiting.map(waiting => waiting.runId) ?? []
  }

  get heldCount(): number {
    return [...this.#lanes.values()].filter(lane => lane.holder !== undefined).length
  }

  get waitingCount(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.waiting.length, 0)
  }

  #grant(sessionKey: string, lane: Lane): void {
    if (lane.holder !== undefined) return
    const next = lane.waiting.shift()
    if (!next) {
      this.#lanes.delete(sessionKey)
      return
    }
    lane.holder = next.runId
    this.#graph.remove(next.edge)
    this.#graph.hold(laneNode(sessionKey), `run:${next.runId}`)
    next.enter()
  }
}

export function laneNode(sessionKey: string): WaitNode {
  return `lane:${sessionKey}`
}
