// The gateway's own secrets, and how anything is compared with one.
import { createHash, timingSafeEqual } from 'node:crypto'

/** What lets a client in. */
export interface Secrets {
  readonly token: string
  /** Undefined: no password lets anyone in. */
  readonly password: string | undefined
}

/** Whether this text is the token or the password. */
export function isSecret(presented: string, { token, password }: Secrets): boolean {
  const isThe = equal(presented, token)
  return (password !== undefined && equal(presented, password)) || isThe
}

/** Compares in time that does not depend on where they differ, nor on their lengths. */
export function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
