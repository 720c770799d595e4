// The handshake: what a client says in `connect` and what it hears back. Scopes in it are a request, never a grant.
import * as z from 'zod'

const filled = z.string().min(1)

/** Longest `auth.cause`. */
export const CAUSE_LENGTH_MAX = 2_000

export const CLIENT_IDS = [
  'webchat-ui',
  'clawdbot-control-ui',
  'webchat',
  'cli',
  'gateway-client',
  'clawdbot-macos',
  'clawdbot-ios',
  'clawdbot-android',
  'node-host',
  'test',
  'fingerprint',
  'clawdbot-probe',
] as const
export const CLIENT_MODES = ['webchat', 'cli', 'ui', 'backend', 'node', 'probe', 'test'] as const

export const connectParamsSchema = z.strictObject({
  minProtocol: z.int().min(1),
  maxProtocol: z.int().min(1),
  client: z.strictObject({
    id: z.enum(CLIENT_IDS),
    displayName: filled.optional(),
    version: filled,
    platform: filled,
    deviceFamily: filled.optional(),
    modelIdentifier: filled.optional(),
    mode: z.enum(CLIENT_MODES),
    instanceId: filled.optional(),
  }),
  caps: z.array(filled).optional(),
  commands: z.array(filled).optional(),
  permissions: z.record(z.string(), z.boolean()).optional(),
  pathEnv: z.string().optional(),
  role: filled.optional(),
  scopes: z.array(filled).optional(),
  device: z
    .strictObject({ id: filled, publicKey: filled, signature: filled, signedAt: z.int(), nonce: filled.optional() })
    .optional(),
  auth: z
    .strictObject({
      token: z.string().optional(),
      password: z.string().optional(),
      /** What a process finds as SLUICE_CAUSE when a turn started it; it then calls as that turn, whatever else it has. */
      cause: filled.max(CAUSE_LENGTH_MAX).optional(),
    })
    .optional(),
  locale: z.string().optional(),
  userAgent: z.string().optional(),
})
export type ConnectParams = z.infer<typeof connectParamsSchema>

export interface HelloOk {
  readonly type: 'hello-ok'
  readonly protocol: number
  readonly server: { readonly version: string; readonly host?: string; readonly connId: string }
  readonly features: { readonly methods: readonly string[]; readonly events: readonly string[] }
  readonly snapshot: {
    readonly presence: readonly unknown[]
    readonly health: unknown
    readonly stateVersion: { readonly presence: number; readonly health: number }
    readonly uptimeMs: number
    /** Ours: number of the newest durable event; `events.since` tells what came after it. */
    readonly lastSeq?: number
    readonly stateDir?: string
    readonly configPath?: string
    readonly sessionDefaults: {
      readonly defaultAgentId: string
      readonly mainKey: string
      readonly mainSessionKey: string
      readonly scope: string
    }
  }
  /** Only for a device: the token that lets it in from now on, in place of the gateway's. */
  readonly auth?: {
    readonly deviceToken: string
    readonly role: string
    readonly scopes: readonly string[]
    readonly issuedAtMs: number
  }
  readonly policy: { readonly maxPayload: number; readonly maxBufferedBytes: number; readonly tickIntervalMs: number }
}
