// Secrets that a gateway makes for itself, once, and keeps in a file that only its owner can read.
import type { World } from './world.ts'

const BYTES = 32

/** 32 random bytes as hex, or whatever somebody wrote into the file. */
export function ownSecret({ files, random }: Pick<World, 'files' | 'random'>, path: string): string {
  const found = files.readText(path)?.trim()
  if (found) return found
  const made = random.hex(BYTES)
  files.writePrivateText(path, `${made}\n`)
  return made
}
