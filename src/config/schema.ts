// The config as this version uses it, and what each key means, in words for people. Keys are those of the family where the
// meaning is the same. What is not here is either known and not used yet (known-keys.ts) or unknown; both are said at
// start, neither stops it. A default that is told here is the one that holds; tests compare the two.
import * as z from 'zod'
import { QUEUE_MODES } from '../protocol/queue-modes.ts'
import { accessKeys } from './access.ts'
import { agentListSchema, bindingsSchema, folder, subagentModel, workspaceKeys } from './agents.ts'
import { ackKeys, telegramKey } from './channels.ts'
import { heartbeatSchema } from './heartbeats.ts'
import { hooksKey, httpKey } from './http.ts'
import { defaultModelSchema, modelsSchema } from './models.ts'
import { sessionResetSchema } from './session-reset.ts'

/** How many may be at it at once. */
const places = z.int().min(1).max(1_000)
const seconds = z.int().min(1).max(86_400)
const names = z.array(z.string().min(1))
const timeoutMs = z.int().min(1).max(86_400_000)

const execSchema = z.looseObject({
  security: z.enum(['deny', 'allowlist', 'full']).optional().meta({
    description:
      'Whether turns may start processes: none, those of `allow` (and others as `ask` says), or all. With `deny` there is no exec tool.',
    default: 'deny',
  }),
  ask: z.enum(['off', 'on-miss', 'always']).optional().meta({
    description: 'When a person is asked first: never, for what `allow` does not name, or always.',
    default: 'on-miss',
  }),
  allow: names
    .optional()
    .meta({ description: 'Commands that need no question, by name or absolute path.', default: [] }),
  timeoutSec: seconds.optional().meta({ description: 'Bound on the work of one process, in seconds.', default: 1_800 }),
  approvalTimeoutSec: seconds
    .optional()
    .meta({ description: 'How long a question to a person stands, in seconds.', default: 600 }),
  workdir: z
    .string()
    .regex(/^\//, 'give an absolute path')
    .optional()
    .describe("Where commands run that name no folder; the agent's workspace without it."),
})

const toolsSchema = z
  .looseObject({
    allow: names.optional().describe('The only tools that turns have; all without it.'),
    deny: names.optional().meta({ description: 'Tools that no turn has; wins over `allow`.', default: [] }),
    exec: execSchema.optional(),
    agentToAgent: z
      .looseObject({
        enabled: z.boolean().optional().meta({
          description: 'Whether turns of one agent may read and write in sessions of another.',
          default: false,
        }),
        allow: names.optional().describe('Between which agents; all without it.'),
      })
      .optional(),
    subagents: z
      .looseObject({
        tools: z
          .looseObject({
            allow: names
              .optional()
              .describe('Tools that tasks have although they reach beyond the task, such as cron or sessions_send.'),
            deny: names.optional().meta({ description: 'More tools that tasks do not have.', default: [] }),
          })
          .optional(),
      })
      .optional(),
    web: z
      .looseObject({
        fetch: z
          .looseObject({
            enabled: z
              .boolean()
              .optional()
              .meta({ description: 'Whether turns may fetch public web pages.', default: false }),
          })
          .optional(),
      })
      .optional(),
  })
  // Any other key of it is a tool's name, or one of the family's that is not used yet.
  .catchall(
    z.union([
      z.looseObject({
        timeoutMs: timeoutMs.optional().describe("Bound on the work of one call of this tool; wins over its method's."),
      }),
      z.unknown(),
    ]),
  )

const subagentsSchema = z.looseObject({
  model: subagentModel,
  maxConcurrent: places.optional().meta({ description: 'Turns of tasks at once.', default: 8 }),
  maxDepth: z
    .int()
    .min(0)
    .max(10)
    .optional()
    .meta({ description: 'How deep tasks may make tasks; 0: there are none.', default: 2 }),
  maxChildren: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .meta({ description: 'Unfinished tasks that one session may have.', default: 8 }),
})

const defaultsSchema = z.looseObject({
  model: defaultModelSchema.optional(),
  ...workspaceKeys,
  userTimezone: z
    .string()
    .min(1)
    .optional()
    .describe('The zone in which times without one are meant, such as Europe/Berlin; that of the machine without it.'),
  timeoutSeconds: seconds.optional().meta({ description: 'Bound on the work of one turn, in seconds.', default: 600 }),
  maxConcurrent: places.optional().meta({ description: 'Turns at once, of all agents.', default: 8 }),
  maxQueued: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .meta({ description: 'Unfinished turns that are accepted, of all sessions.', default: 5_000 }),
  subagents: subagentsSchema.optional(),
  heartbeat: heartbeatSchema().optional(),
})

const gatewaySchema = z.looseObject({
  port: z.int().min(0).max(65_535).optional().meta({
    description: 'Port to listen on; 0: any free one. SLUICE_GATEWAY_PORT and --port win over it.',
    default: 18_789,
  }),
  ...accessKeys,
  http: httpKey,
})

export type QueueMode = (typeof QUEUE_MODES)[number]
/** The family's names of the same: what merges late becomes a turn of its own with us anyway. */
const STEER_NAMES = ['queue', 'steer-backlog', 'steer+backlog'] as const
const queueMode = z
  .enum([...QUEUE_MODES, ...STEER_NAMES])
  .transform((name): QueueMode => QUEUE_MODES.find(mode => mode === name) ?? 'steer')

export const configSchema = z.looseObject({
  gateway: gatewaySchema.optional(),
  hooks: hooksKey,
  models: modelsSchema.optional(),
  agents: z
    .looseObject({
      defaults: defaultsSchema.optional(),
      list: agentListSchema.optional(),
    })
    .optional(),
  bindings: bindingsSchema.optional(),
  tools: toolsSchema.optional(),
  methods: z
    .record(
      z.string(),
      z.looseObject({ timeoutMs: timeoutMs.optional().describe('Bound on the work of one call of this method.') }),
    )
    .optional(),
  cron: z
    .looseObject({
      enabled: z.boolean().optional().meta({ description: 'Whether jobs fire.', default: true }),
      maxConcurrentRuns: places.optional().meta({ description: 'Turns of jobs at once.', default: 4 }),
      staggerMs: z.int().min(0).max(60_000).optional().meta({
        description:
          'How far apart jobs begin that do work and are due at one instant; within a minute all of them. 0: all at once.',
        default: 1_000,
      }),
      commands: z.enum(['off', 'operator']).optional().meta({
        description:
          'Whether jobs may run commands, as far as tools.exec allows them: jobs that an operator has made, never those of agents.',
        default: 'off',
      }),
    })
    .optional(),
  messages: z
    .looseObject({
      queue: z
        .looseObject({
          cap: z
            .int()
            .min(1)
            .max(10_000)
            .optional()
            .meta({ description: 'Messages that may wait in one session.', default: 50 }),
          mode: queueMode.optional().meta({
            description: 'What a message does while a turn of its session runs (docs/guides/while-a-turn-runs.md).',
            default: 'steer',
          }),
          byChannel: z
            .record(z.string(), queueMode)
            .optional()
            .describe('The same for one channel, by its name; it wins.'),
        })
        .optional(),
      ...ackKeys,
    })
    .optional(),
  channels: z.looseObject({ telegram: telegramKey }).optional(),
  session: z
    .looseObject({
      reset: sessionResetSchema.optional(),
      agentToAgent: z
        .looseObject({
          maxPingPongTurns: z.int().min(0).max(100).optional().meta({
            description: 'Rounds that two sessions may go by themselves after one message by a person.',
            default: 5,
          }),
        })
        .optional(),
    })
    .optional(),
  logging: z
    .looseObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .optional()
        .meta({ description: 'What the log keeps: this and all that is worse.', default: 'info' }),
      file: folder.optional().describe('Where the log is; logs/gateway.log in the state folder without it.'),
      maxFileMb: z.number().min(0.001).max(10_000).optional().meta({
        description: 'Size at which the log is put aside, as <file>.1, and a new one is begun.',
        default: 10,
      }),
      keepFiles: z
        .int()
        .min(0)
        .max(100)
        .optional()
        .meta({ description: 'How many of those that were put aside are kept.', default: 3 }),
    })
    .optional(),
})
export type ConfigFile = z.output<typeof configSchema>
