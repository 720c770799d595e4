// How anything is compared with a secret.
import { createHash, timingSafeEqual } from 'node:crypto'

/** Compares in time that does not depend on where they differ, nor on their lengths. */
export function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
