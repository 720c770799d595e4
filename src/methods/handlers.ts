// One total map from method name to handler; it does not compile when one is missing.
import type { Handlers } from '../dispatch/dispatcher.ts'
import { agentHandlers } from './agents.ts'
import { approvalHandlers } from './approvals.ts'
import { channelHandlers } from './channels.ts'
import { compactHandlers } from './compact.ts'
import { compatHandlers } from './compat.ts'
import { configHandlers } from './config.ts'
import { cronHandlers } from './cron.ts'
import { delegationHandlers } from './delegation.ts'
import { deviceHandlers } from './devices.ts'
import { eventHandlers } from './events.ts'
import { gatewayHandlers } from './gateway.ts'
import { modelHandlers } from './models.ts'
import { outboxHandlers } from './outbox.ts'
import { outsideHandlers } from './outside.ts'
import type { MethodParts } from './parts.ts'
import { presenceHandlers } from './presence.ts'
import { runHandlers } from './runs.ts'
import { sessionAdminHandlers } from './session-admin.ts'
import { sessionHandlers } from './sessions.ts'
import { usageHandlers } from './usage.ts'

export function allHandlers(parts: MethodParts): Handlers {
  return {
    ...gatewayHandlers(parts),
    ...configHandlers(parts),
    ...cronHandlers(parts),
    ...runHandlers(parts),
    ...sessionHandlers(parts),
    ...sessionAdminHandlers(parts),
    ...compactHandlers(parts),
    ...delegationHandlers(parts),
    ...agentHandlers(parts),
    ...approvalHandlers(parts),
    ...deviceHandlers(parts),
    ...channelHandlers(parts),
    ...outboxHandlers(parts),
    ...outsideHandlers(parts),
    ...eventHandlers(parts),
    ...modelHandlers(parts),
    ...usageHandlers(parts),
    ...presenceHandlers(parts),
    ...compatHandlers(parts),
  }
}
