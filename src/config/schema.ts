// The config as this version uses it. Keys are those of the family where the meaning is the same. What is not here is
// either known and not used yet (known-keys.ts) or unknown; both are said at start, neither stops it.
import * as z from 'zod'

const timeoutMs = z.strictObject({ timeoutMs: z.int().min(1).max(86_400_000).optional() }).loose()

/** How many may be at it at once. */
const places = z.int().min(1).max(1_000).optional()
const seconds = z.int().min(1).max(86_400).optional()
const names = z.array(z.string().min(1)).optional()

const modelRef = z.string().regex(/^[^/\s]+\/\S+$/, 'write a model as <provider>/<model id>, e.g. local/llama-3.3')

export const providerSchema = z.looseObject({
  baseUrl: z.url({ protocol: /^https?$/, error: 'give an http(s) URL, e.g. http://127.0.0.1:11434/v1' }),
  apiKey: z.string().min(1).optional(),
  api: z.literal('openai-completions', { error: 'only "openai-completions" is supported by this version' }).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  maxConcurrent: places,
})

const agentSchema = z.looseObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'an agent id is up to 64 small letters, digits, - and _'),
  name: z.string().min(1).max(100).optional(),
  maxConcurrent: places,
})

const toolsSchema = z.looseObject({
  allow: names,
  deny: names,
  exec: z
    .looseObject({
      security: z.enum(['deny', 'allowlist', 'full']).optional(),
      ask: z.enum(['off', 'on-miss', 'always']).optional(),
      allow: names,
      timeoutSec: seconds,
      approvalTimeoutSec: seconds,
      workdir: z.string().regex(/^\//, 'give an absolute path').optional(),
    })
    .optional(),
  subagents: z.looseObject({ tools: z.looseObject({ allow: names, deny: names }).optional() }).optional(),
  web: z.looseObject({ fetch: z.looseObject({ enabled: z.boolean().optional() }).optional() }).optional(),
})

const QUEUE_MODES = ['steer', 'followup', 'collect', 'interrupt', 'reject'] as const
export type QueueMode = (typeof QUEUE_MODES)[number]
/** The family's names of the same: what merges late becomes a turn of its own with us anyway. */
const STEER_NAMES: readonly unknown[] = ['queue', 'steer-backlog', 'steer+backlog']
const queueMode = z.preprocess(value => (STEER_NAMES.includes(value) ? 'steer' : value), z.enum(QUEUE_MODES))

export const configSchema = z.looseObject({
  gateway: z
    .looseObject({
      port: z.int().min(0).max(65_535).optional(),
      bind: z
        .literal('loopback', { error: 'only "loopback" is supported by this version; it is never widened by itself' })
        .optional(),
      auth: z
        .looseObject({
          mode: z.literal('token', { error: 'only "token" is supported by this version' }).optional(),
          token: z.string().min(16, 'a token needs at least 16 characters').optional(),
        })
        .optional(),
    })
    .optional(),
  models: z.looseObject({ providers: z.record(z.string().regex(/^[^/\s]+$/), providerSchema).optional() }).optional(),
  agents: z
    .looseObject({
      defaults: z
        .looseObject({
          model: z.union([modelRef, z.looseObject({ primary: modelRef.optional() })]).optional(),
          userTimezone: z.string().min(1).optional(),
          timeoutSeconds: seconds,
          maxConcurrent: places,
          maxQueued: z.int().min(1).max(100_000).optional(),
          subagents: z
            .looseObject({
              maxConcurrent: places,
              maxDepth: z.int().min(0).max(10).optional(),
              maxChildren: z.int().min(0).max(100).optional(),
            })
            .optional(),
        })
        .optional(),
      list: z
        .array(agentSchema)
        .refine(agents => new Set(agents.map(agent => agent.id)).size === agents.length, 'two agents have the same id')
        .optional(),
    })
    .optional(),
  // Any other key of it is a tool's name, or one of the family's that is not used yet.
  tools: toolsSchema.optional(),
  methods: z.record(z.string(), timeoutMs).optional(),
  cron: z.looseObject({ enabled: z.boolean().optional(), maxConcurrentRuns: places }).optional(),
  messages: z
    .looseObject({
      queue: z
        .looseObject({
          cap: z.int().min(1).max(10_000).optional(),
          mode: queueMode.optional(),
          byChannel: z.record(z.string(), queueMode).optional(),
        })
        .optional(),
    })
    .optional(),
  session: z
    .looseObject({
      agentToAgent: z.looseObject({ maxPingPongTurns: z.int().min(0).max(100).optional() }).optional(),
    })
    .optional(),
  logging: z
    .looseObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional() })
    .optional(),
})
export type ConfigFile = z.output<typeof configSchema>
