// Where a worker thread's entry file is, run from source or from the bundle. `scripts/build.ts` puts all entries flat
// into dist/, and a caller's own chunk lies beside them; in source mode each entry has its place in the tree.
// Use: `new Worker(workerUrl('writer', import.meta.url))`. It looks at no disk and refuses to guess other entries.

export type WorkerName = 'integrity-thread' | 'reader' | 'runner-entry' | 'writer'

const SOURCE_PATHS: Readonly<Record<WorkerName, string>> = {
  'integrity-thread': 'src/store/sqlite/integrity-thread.ts',
  reader: 'src/store/sqlite/reader.ts',
  'runner-entry': 'src/runner-entry.ts',
  writer: 'src/store/sqlite/writer.ts',
}

/** `base` is the caller's `import.meta.url`: a `.ts` file under src/, test/ or bench/, or any file of the bundle. */
export function workerUrl(name: WorkerName, base: string): URL {
  if (!base.endsWith('.ts')) return new URL(`./${name}.js`, base)
  // This file's own place marks the tree, wherever in it the caller is.
  return new URL(`../../../${SOURCE_PATHS[name]}`, import.meta.url)
}
