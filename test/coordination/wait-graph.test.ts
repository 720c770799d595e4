// The wait-for graph refuses exactly the edges that close a cycle. An independent brute-force search is the judge.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SluiceError } from '../../src/base/errors.ts'
import { WaitGraph, type WaitNode } from '../../src/coordination/wait-graph.ts'

const run = (id: string): WaitNode => `run:${id}`
const lane = (key: string): WaitNode => `lane:${key}`
const edge = (waiter: WaitNode, target: WaitNode) => ({ waiter, target, sinceMs: 0 })

function refusal(act: () => void): SluiceError {
  try {
    act()
  } catch (error) {
    return error as SluiceError
  }
  throw new Error('was not refused')
}

describe('W4: cycles are refused at once, by name', () => {
  test('W4: a turn that waits for its own lane is refused with the cycle', () => {
    const graph = new WaitGraph()
    graph.hold(lane('a'), run('1'))
    graph.name(run('1'), 'the turn of a')
    const error = refusal(() => graph.add(edge(run('1'), lane('a'))))
    expect(error.code).toBe('WOULD_DEADLOCK')
    expect(error.outcome).toBe('not-started')
    expect(error.details?.cycle).toEqual([run('1'), lane('a'), run('1')])
    expect(error.message).toContain('the turn of a waits for session a, which is held by the turn of a')
  })

  test('W4: A waits for B, B may not wait for A, and may again when A has stopped waiting', () => {
    const graph = new WaitGraph()
    graph.hold(lane('a'), run('1'))
    graph.hold(lane('b'), run('2'))
    const waits = edge(run('1'), lane('b'))
    graph.add(waits)
    expect(refusal(() => graph.add(edge(run('2'), lane('a')))).code).toBe('WOULD_DEADLOCK')
    graph.remove(waits)
    graph.add(edge(run('2'), lane('a')))
    expect(graph.list()).toHaveLength(1)
    expect(graph.refusedCount).toBe(1)
  })

  test('W4: an edge follows the holder, so a lane that is handed on carries the wait with it', () => {
    const graph = new WaitGraph()
    graph.add(edge(run('1'), lane('b')))
    graph.hold(lane('b'), run('2'))
    graph.hold(lane('b'), run('3'))
    graph.add(edge(run('2'), run('1')))
    expect(refusal(() => graph.add(edge(run('3'), run('1')))).code).toBe('WOULD_DEADLOCK')
  })

  test('W4: over random graphs, refused exactly when a brute-force search finds a cycle', () => {
    const node = fc.nat({ max: 7 })
    const step = fc.oneof(
      fc.record({ kind: fc.constant('wait' as const), from: node, to: node, onLane: fc.boolean() }),
      fc.record({ kind: fc.constant('hold' as const), lane: node, holder: fc.option(node, { nil: undefined }) }),
      fc.record({ kind: fc.constant('end' as const), index: fc.nat({ max: 20 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const judged = new JudgedGraph()
        for (const one of steps) judged.take(one)
        expect(judged.graph.list()).toHaveLength(judged.edges.length)
      }),
      { numRuns: 500 },
    )
  })
})

type Step =
  | { readonly kind: 'wait'; readonly from: number; readonly to: number; readonly onLane: boolean }
  | { readonly kind: 'hold'; readonly lane: number; readonly holder: number | undefined }
  | { readonly kind: 'end'; readonly index: number }

/** A graph beside a naive copy of it, on which every path is walked, with no memory beyond the path itself. */
class JudgedGraph {
  readonly graph = new WaitGraph()
  readonly edges: ReturnType<typeof edge>[] = []
  readonly #holders = new Map<string, WaitNode>()

  take(step: Step): void {
    if (step.kind === 'hold') this.hold(lane(String(step.lane)), step.holder)
    else if (step.kind === 'end') this.end(step.index)
    else this.wait(run(String(step.from)), step.onLane ? lane(String(step.to)) : run(String(step.to)))
  }

  hold(resource: WaitNode, holderId: number | undefined): void {
    const holder = holderId === undefined ? undefined : run(String(holderId))
    // No lane is ever given to a run that already waits for it, directly or not.
    if (holder && this.#reaches(holder, resource)) return
    this.graph.hold(resource, holder)
    if (holder) this.#holders.set(resource, holder)
    else this.#holders.delete(resource)
  }

  wait(waiter: WaitNode, target: WaitNode): void {
    const made = edge(waiter, target)
    if (this.#reaches(target, waiter)) {
      expect(refusal(() => this.graph.add(made)).code).toBe('WOULD_DEADLOCK')
      return
    }
    this.graph.add(made)
    this.edges.push(made)
  }

  end(index: number): void {
    const [ended] = this.edges.splice(index, 1)
    if (ended) this.graph.remove(ended)
  }

  #reaches(from: string, to: string, path: readonly string[] = []): boolean {
    if (from === to) return true
    if (path.includes(from)) return false
    const next: string[] = this.edges.filter(one => one.waiter === from).map(one => one.target)
    const holder = this.#holders.get(from)
    return [...next, ...(holder ? [holder] : [])].some(node => this.#reaches(node, to, [...path, from]))
  }
}
