// The config's `agents.list`: several agents in one gateway, each with a workspace, models and tools of its own; and the
// bindings that say whose chats are whose. What an agent leaves out is as for all. It refuses what names no agent.
import * as z from 'zod'
import type { HeartbeatRule } from '../protocol/heartbeat.ts'
import { heartbeatSchema } from './heartbeats.ts'
import type { Env } from './locate.ts'
import { type ModelsSettings, modelRef } from './models.ts'

/** The agent that is always there. */
const MAIN_AGENT = 'main'
const BOOTSTRAP_LENGTH_MAX = 20_000

const names = z.array(z.string().min(1))
export const folder = z.string().regex(/^(\/|~\/)/, 'give an absolute path, or one that begins with ~/')
const LONGER = "The same, in the family's longer form."
const primary = modelRef.optional().describe(LONGER)

/** Of one agent, where what is left out is as for all. */
const ownModelSchema = z
  .union([
    modelRef,
    z.looseObject({
      primary,
      fallbacks: z
        .array(modelRef)
        .max(10)
        .optional()
        .describe('Models that are asked, in this order, when that one fails; those of all without it.'),
    }),
  ])
  .optional()
  .describe('The model that answers for it; as for all without it.')

export const subagentModel = z
  .union([modelRef, z.looseObject({ primary }).transform(chosen => chosen.primary)])
  .optional()
  .describe('The model of tasks that name none; that of the agent without it. Fallbacks are not asked.')

export const workspaceKeys = {
  workspace: folder
    .optional()
    .describe(
      "The default agent's folder: its prompt files, and where its commands run; one in the state folder without it. Other agents have one beside it, `-<id>` added.",
    ),
  bootstrapMaxChars: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .meta({ description: 'Characters of each prompt file that a turn is shown.', default: BOOTSTRAP_LENGTH_MAX }),
}

const identitySchema = z.looseObject({
  name: z.string().min(1).max(100).optional().describe('What it calls itself; `name` without it.'),
  theme: z.string().min(1).max(1_000).optional().describe('Its manner, in a few words; its turns are told.'),
  emoji: z.string().min(1).max(20).optional().describe('Shown by clients.'),
  avatar: z.string().min(1).max(2_000).optional().describe('A URL or letters, shown by clients.'),
})

export const agentSchema = z.looseObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'an agent id is up to 64 small letters, digits, - and _')
    .describe('Its name in session keys and commands.'),
  default: z.boolean().optional().describe('Whether it is meant where none is named; `main` is, without it.'),
  name: z.string().min(1).max(100).optional().describe('What people call it.'),
  workspace: folder.optional().describe('Its folder: its prompt files, and where its commands run.'),
  model: ownModelSchema,
  identity: identitySchema.optional(),
  maxConcurrent: z.int().min(1).max(1_000).optional().describe('Turns of it at once; no limit of its own without it.'),
  tools: z
    .looseObject({
      allow: names.optional().describe('The only tools that its turns have, of those that all have.'),
      deny: names.optional().describe('More tools that its turns do not have; wins over `allow`.'),
    })
    .optional(),
  subagents: z
    .looseObject({
      allowAgents: names
        .optional()
        .describe('Other agents that its turns may have do tasks and jobs; ["*"]: all. None without it.'),
      model: subagentModel,
    })
    .optional(),
  heartbeat: heartbeatSchema({ own: true }).optional(),
})

export const agentListSchema = z
  .array(agentSchema)
  .refine(agents => new Set(agents.map(agent => agent.id)).size === agents.length, 'two agents have the same id')
  .refine(agents => agents.filter(agent => agent.default).length <= 1, 'two agents are the default')

const PEER_KINDS = ['dm', 'group', 'channel'] as const

export const bindingsSchema = z.array(
  z.looseObject({
    agentId: z.string().min(1).describe('Whose the chats are.'),
    match: z.looseObject({
      channel: z.string().min(1).describe('The channel, by its name.'),
      accountId: z
        .string()
        .min(1)
        .optional()
        .describe('One account of the channel, or "*" for all; its default account without it.'),
      peer: z
        .looseObject({
          kind: z.enum(PEER_KINDS).describe('What kind of chat it is.'),
          id: z.string().min(1).describe("The chat, by the channel's own id."),
        })
        .optional(),
    }),
  }),
)

export interface AgentSettings {
  readonly id: string
  readonly name?: string
  readonly identity?: { readonly [K in 'name' | 'theme' | 'emoji' | 'avatar']?: string | undefined }
  /** Of its own, absolute; undefined: see `workspaceFor`. */
  readonly workspace: string | undefined
  /** Of its own; undefined: as for all. */
  readonly primary: string | undefined
  readonly fallbacks: readonly string[] | undefined
  /** On top of the policy for all. */
  readonly tools: { readonly allow: readonly string[] | undefined; readonly deny: readonly string[] }
  /** Agents that its turns may hand work to, beside itself; `*`: all. */
  readonly allowAgents: readonly string[]
  /** Of its tasks that name none; undefined: as for all. */
  readonly taskModel: string | undefined
}

/** Whose chats are whose: all that is told of a chat has to match. */
export interface ChatBinding {
  readonly agentId: string
  readonly channel: string
  readonly accountId: string | undefined
  readonly peer: { readonly kind: (typeof PEER_KINDS)[number]; readonly id: string } | undefined
}

type AgentsFile = {
  readonly defaults?:
    | {
        readonly workspace?: string | undefined
        readonly bootstrapMaxChars?: number | undefined
        readonly subagents?: { readonly model?: string | undefined } | undefined
      }
    | undefined
  readonly list?: z.output<typeof agentListSchema> | undefined
}

export interface AgentsSettings {
  /** Always with `main`. */
  readonly agents: readonly AgentSettings[]
  readonly defaultAgent: string
  readonly bindings: readonly ChatBinding[]
  /** The default agent's folder, unless it has one of its own. */
  readonly workspace: string
  /** Of tasks for whose agent none is named. */
  readonly taskModel: string | undefined
  /** Between which agents turns may read and write in each other's sessions; `allow` empty: all. */
  readonly agentToAgent: { readonly enabled: boolean; readonly allow: readonly string[] }
  /** Characters of each prompt file. */
  readonly bootstrapLengthMax: number
}

interface AgentsSource {
  readonly agents: AgentsFile | undefined
  readonly bindings: z.output<typeof bindingsSchema> | undefined
  readonly talk: { readonly enabled?: boolean | undefined; readonly allow?: readonly string[] | undefined } | undefined
  readonly env: Env
  /** The default agent's, where the config names none. */
  readonly workspace: string
  readonly wrong: (path: string, message: string) => Error
}

export function agentsSettings({ agents, bindings = [], talk, env, workspace, wrong }: AgentsSource): AgentsSettings {
  const listed = agents?.list ?? []
  const all = listed.some(({ id }) => id === MAIN_AGENT) ? listed : [{ id: MAIN_AGENT }, ...listed]
  const defaultAgent = all.find(agent => agent.default)?.id ?? MAIN_AGENT
  const known = new Set(all.map(({ id }) => id))
  const isAgent = (path: string, id: string) => {
    if (!known.has(id)) throw wrong(path, `is "${id}", which is no agent; there are: ${[...known].join(', ')}.`)
  }
  for (const [index, { agentId }] of bindings.entries()) isAgent(`bindings.${index}.agentId`, agentId)
  for (const [index, { subagents }] of listed.entries()) {
    for (const id of subagents?.allowAgents ?? []) {
      if (id !== '*') isAgent(`agents.list.${index}.subagents.allowAgents`, id)
    }
  }
  return {
    agents: all.map(agent => settingsOf(agent, env)),
    defaultAgent,
    // No channel tells of guilds and teams yet; a binding for one is for none of their chats.
    bindings: bindings
      .filter(({ match }) => match.guildId === undefined && match.teamId === undefined)
      .map(({ agentId, match: { channel, accountId, peer } }) => ({
        ...{ agentId, channel, accountId },
        peer: peer && { kind: peer.kind, id: peer.id },
      })),
    workspace: pathOf(agents?.defaults?.workspace ?? workspace, env),
    taskModel: agents?.defaults?.subagents?.model,
    agentToAgent: { enabled: talk?.enabled ?? false, allow: talk?.allow ?? [] },
    bootstrapLengthMax: agents?.defaults?.bootstrapMaxChars ?? BOOTSTRAP_LENGTH_MAX,
  }
}

function settingsOf(agent: z.output<typeof agentSchema>, env: Env): AgentSettings {
  const { id, name, identity, workspace, model, tools, subagents } = agent
  const { primary, fallbacks } = typeof model === 'string' ? { primary: model } : (model ?? {})
  return {
    id,
    ...(name !== undefined && { name }),
    ...(identity && { identity }),
    workspace: workspace === undefined ? undefined : pathOf(workspace, env),
    ...{ primary, fallbacks },
    tools: { allow: tools?.allow, deny: tools?.deny ?? [] },
    allowAgents: subagents?.allowAgents ?? [],
    taskModel: subagents?.model,
  }
}

/** Agents do not write into each other's folders unless the config says so. */
export function workspaceFor({ agents, defaultAgent, workspace }: AgentsSettings, agentId: string): string {
  const own = agents.find(({ id }) => id === agentId)?.workspace
  return own ?? (agentId === defaultAgent ? workspace : `${workspace.replace(/\/+$/, '')}-${agentId}`)
}

/** The models as an agent has them asked. */
export function modelsFor<S extends AgentsSettings & { readonly models: ModelsSettings }>(
  { agents, models }: S,
  agentId: string,
): S['models'] {
  const { primary, fallbacks } = agents.find(({ id }) => id === agentId) ?? {}
  return {
    ...models,
    ...(primary !== undefined && { primary }),
    ...(fallbacks !== undefined && { fallbacks }),
  }
}

type NamingModels = AgentsSettings & { readonly models: ModelsSettings; readonly heartbeats: readonly HeartbeatRule[] }

/** The models of each agent and of heartbeats, and the keys of the config that name them. */
export function modelsOfAgents(settings: NamingModels) {
  const ofAgents = settings.agents.map(({ id, primary, fallbacks }) => {
    const keyOf = (own: unknown) => (own === undefined ? 'agents.defaults.model' : `agents.list.${id}.model`)
    return { models: modelsFor(settings, id), keys: { primary: keyOf(primary), fallbacks: keyOf(fallbacks) } }
  })
  const keys = { primary: 'agents.*.heartbeat.model', fallbacks: '' }
  const ofBeats = settings.heartbeats.map(({ model }) => ({ ...settings.models, primary: model, fallbacks: [] }))
  return [...ofAgents, ...ofBeats.map(models => ({ models, keys }))]
}

/** `~/` is the home of who runs the gateway. */
export function pathOf(path: string, env: Env): string {
  return path.replace(/^~(?=\/)/, env.HOME ?? '')
}
