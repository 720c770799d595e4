// The gateway's own secrets, and whether somebody shows one of them.
import { isSameSecret } from '../base/same-secret.ts'

/** What lets a client in. */
export interface Secrets {
  readonly token: string
  /** Undefined: no password lets anyone in. */
  readonly password: string | undefined
}

/** Whether this text is the token or the password. */
export function isSecret(presented: string, { token, password }: Secrets): boolean {
  const isThe = isSameSecret(presented, token)
  return (password !== undefined && isSameSecret(presented, password)) || isThe
}
