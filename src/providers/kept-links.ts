// Keeps what was made of a choice for all turns of a runner: an SDK builds and compiles its schemas with each model that
// it makes, which costs more than a request does. A changed key or address is another choice.
import type { LinkChoice } from './choice.ts'
import type { Model } from './model.ts'

/** More than a config names at once. */
export const LINKS_MAX = 32

/** Answers the model of a choice, made by `make` where it is not kept. What was made first goes first. */
export function keptLinks(make: (choice: LinkChoice) => Promise<Model>): (choice: LinkChoice) => Promise<Model> {
  const kept = new Map<string, Model>()
  return async choice => {
    const key = JSON.stringify(choice)
    const link = kept.get(key) ?? (await make(choice))
    kept.set(key, link)
    for (const oldest of kept.keys()) {
      if (kept.size <= LINKS_MAX) break
      kept.delete(oldest)
    }
    return link
  }
}
