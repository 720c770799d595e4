// The tools by which faults are planted into production code from outside: methods of a class replaced for the time of one
// simulation, and a store whose reads or writes do something else. Nothing of it is known to production.
import type { Store, StoreReads, StoreWriters } from '../../src/store/port.ts'

/** What stands in for production in one simulation. */
export interface Planted {
  readonly wrapStore?: (store: Store) => Store
  /** Patches classes for the time of the simulation; answers the function that undoes it. */
  readonly plant?: () => () => void
}

export interface Mutant extends Planted {
  readonly name: string
  /** A seed known to find it; where none is given, the first does. Looked at first, so that a hunt is short. */
  readonly near?: number
}

/** Replaces methods of a prototype; answers the function that puts the old ones back. */
export function patch<T extends object>(prototype: T, make: (old: T) => Partial<T>): () => void {
  const old = Object.create(null, Object.getOwnPropertyDescriptors(prototype)) as T
  const made = make(old)
  Object.assign(prototype, made)
  return () => {
    for (const name of Object.keys(made)) Object.assign(prototype, { [name]: old[name as keyof T] })
  }
}

/** A store with some of its writes replaced. */
export function withWrites(
  make: (write: StoreWriters, store: Store) => Partial<StoreWriters>,
): (store: Store) => Store {
  return store => instead(store, 'write', { ...store.write, ...make(store.write, store) })
}

/** A store with some of its reads replaced. */
export function withReads(make: (read: StoreReads) => Partial<StoreReads>): (store: Store) => Store {
  return store => instead(store, 'read', { ...store.read, ...make(store.read) })
}

function instead<N extends 'read' | 'write'>(store: Store, part: N, value: Store[N]): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === part) return value
      const found = Reflect.get(target, name, target)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}

/** A number that only the name decides. */
export function weigh(name: string): number {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_521, 7)
}
