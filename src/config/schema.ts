// The config as this version uses it. Keys are those of the family where the meaning is the same. What is not here is
// either known and not used yet (known-keys.ts) or unknown; both are said at start, neither stops it.
import * as z from 'zod'

const timeoutMs = z.strictObject({ timeoutMs: z.int().min(1).max(86_400_000).optional() }).loose()

const modelRef = z.string().regex(/^[^/\s]+\/\S+$/, 'write a model as <provider>/<model id>, e.g. local/llama-3.3')

export const providerSchema = z.looseObject({
  baseUrl: z.url({ protocol: /^https?$/, error: 'give an http(s) URL, e.g. http://127.0.0.1:11434/v1' }),
  apiKey: z.string().min(1).optional(),
  api: z.literal('openai-completions', { error: 'only "openai-completions" is supported by this version' }).optional(),
  headers: z.record(z.string(), z.string()).optional(),
})

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
          timeoutSeconds: z.int().min(1).max(86_400).optional(),
          maxConcurrent: z.int().min(1).max(1_000).optional(),
        })
        .optional(),
    })
    .optional(),
  tools: z
    .looseObject({ allow: z.array(z.string()).optional(), deny: z.array(z.string()).optional() })
    // Any other key is a tool's name, or one of the family's that is not used yet.
    .catchall(z.unknown())
    .optional(),
  methods: z.record(z.string(), timeoutMs).optional(),
  cron: z.looseObject({ enabled: z.boolean().optional() }).optional(),
  logging: z
    .looseObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional() })
    .optional(),
})
export type ConfigFile = z.output<typeof configSchema>
