// The catalogue of all methods, and the types derived from it.
import type * as z from 'zod'
import type { MethodDeclaration } from './method.ts'
import { APPROVAL_METHODS } from './methods/approvals.ts'
import { CHANNEL_METHODS } from './methods/channels.ts'
import { COMPAT_METHODS } from './methods/compat.ts'
import { CONFIG_METHODS } from './methods/config.ts'
import { CRON_METHODS } from './methods/cron.ts'
import { DEVICE_METHODS } from './methods/devices.ts'
import { EVENT_METHODS } from './methods/events.ts'
import { GATEWAY_METHODS } from './methods/gateway.ts'
import { MODEL_METHODS } from './methods/models.ts'
import { OUTBOX_METHODS } from './methods/outbox.ts'
import { OUTSIDE_METHODS } from './methods/outside.ts'
import { PRESENCE_METHODS } from './methods/presence.ts'
import { SESSION_ADMIN_METHODS } from './methods/session-admin.ts'
import { SESSION_SCOPE_METHODS } from './methods/sessions.ts'

export const CATALOGUE = {
  ...GATEWAY_METHODS,
  ...CONFIG_METHODS,
  ...CRON_METHODS,
  ...SESSION_SCOPE_METHODS,
  ...SESSION_ADMIN_METHODS,
  ...APPROVAL_METHODS,
  ...DEVICE_METHODS,
  ...CHANNEL_METHODS,
  ...OUTBOX_METHODS,
  ...OUTSIDE_METHODS,
  ...EVENT_METHODS,
  ...MODEL_METHODS,
  ...PRESENCE_METHODS,
  ...COMPAT_METHODS,
}

export type MethodName = keyof typeof CATALOGUE
/** Params as a caller writes them. */
export type ParamsInput<M extends MethodName> = z.input<(typeof CATALOGUE)[M]['params']>
/** Params as a handler gets them. */
export type Params<M extends MethodName> = z.output<(typeof CATALOGUE)[M]['params']>
export type Result<M extends MethodName> = z.output<(typeof CATALOGUE)[M]['result']>

export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(CATALOGUE, name)
}

export function declarationOf(name: MethodName): MethodDeclaration {
  return CATALOGUE[name]
}
