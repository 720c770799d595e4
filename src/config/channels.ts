// What the config says of channels: how each reaches its service, and who may talk there. Whoever is not named may not,
// unless the config says that all may. It judges no message and reaches no service.
import * as z from 'zod'
import type { Files } from '../base/world.ts'
import type { Env } from './locate.ts'
import { secretOf, wrong } from './references.ts'

const MEDIA_MB_DEFAULT = 5
const BYTES_PER_MB = 1_000_000
const WEBHOOK_PATH_DEFAULT = '/telegram-webhook'
const API_ROOT_DEFAULT = 'https://api.telegram.org'
/** A bot's number, then its secret. */
const TOKEN = /^\d+:\S+$/
const ACK_DEFAULT = '👀'

const people = z.array(z.union([z.string().trim().min(1), z.int().transform(String)]))
const url = (protocols: RegExp, message: string) => z.string().regex(protocols, message)

const groupSchema = z.looseObject({
  enabled: z.boolean().optional().meta({
    description: 'Whether the agent is there for this group. `*` is every other; where any is named, only those count.',
    default: true,
  }),
  requireMention: z
    .boolean()
    .optional()
    .meta({ description: 'Whether it hears only what names or answers it.', default: true }),
  allowFrom: people.optional().describe('The only members who may talk to it here, by id or @handle.'),
})

export const telegramKey = z
  .looseObject({
    enabled: z.boolean().optional().meta({ description: 'Whether the channel is there.', default: true }),
    botToken: z
      .string()
      .regex(TOKEN, 'give the token as BotFather shows it: digits, a colon, letters')
      .optional()
      .meta({ description: "The bot's token; TELEGRAM_BOT_TOKEN without it.", secret: true }),
    tokenFile: z.string().regex(/^\//, 'give an absolute path').optional().describe('A file with the token in it.'),
    dmPolicy: z.enum(['pairing', 'allowlist', 'open', 'disabled']).optional().meta({
      description:
        'Who may write to the bot directly: those whom the owner lets in by a code, those in `allowFrom` alone, all, or nobody.',
      default: 'pairing',
    }),
    allowFrom: people.optional().meta({
      description: 'People who may talk to it, by id or @handle; a handle can change hands, an id cannot.',
      default: [],
    }),
    groupPolicy: z.enum(['allowlist', 'open', 'disabled']).optional().meta({
      description: 'Whose messages count in groups: of those who are let in, of all members, or of nobody.',
      default: 'allowlist',
    }),
    groupAllowFrom: people
      .optional()
      .describe('The only people who may talk to it in groups; as for direct chats without it.'),
    groups: z.record(z.string(), groupSchema).optional(),
    mediaMaxMb: z
      .number()
      .min(0.01)
      .max(1_000)
      .optional()
      .meta({ description: 'Largest file that is taken, in MB; never more than 5.', default: MEDIA_MB_DEFAULT }),
    streamMode: z.enum(['partial', 'block', 'off']).optional().meta({
      description:
        'Whether a long answer is shown while it is written (`partial`; `block` is the same), or when it is whole.',
      default: 'partial',
    }),
    webhookUrl: url(/^https:\/\/[^\s]+$/, 'give an https URL')
      .optional()
      .describe('Where the service hands updates on; they are asked for without it.'),
    webhookSecret: z
      .string()
      .regex(/^[\w-]{16,256}$/, 'give 16 to 256 letters, digits, _ or -')
      .optional()
      .meta({ description: 'What the service shows with each update.', secret: true }),
    webhookPath: z
      .string()
      .regex(/^(\/[\w.-]+)+$/, 'give a path such as /telegram-webhook')
      .optional()
      .meta({ description: 'Where this gateway takes those updates.', default: WEBHOOK_PATH_DEFAULT }),
    apiRoot: url(/^https?:\/\/[^\s]+$/, 'give an http or https URL')
      .optional()
      .meta({ description: 'Address of the Bot API. Only Sluice has this key.', default: API_ROOT_DEFAULT }),
  })
  .optional()

export const ackKeys = {
  ackReaction: z.string().max(20).optional().meta({
    description: 'The sign that is put under a message when it is taken; an empty text: none.',
    default: ACK_DEFAULT,
  }),
  ackReactionScope: z
    .enum(['group-mentions', 'group-all', 'direct', 'all'])
    .optional()
    .meta({ description: 'Under which messages.', default: 'group-mentions' }),
  removeAckAfterReply: z
    .boolean()
    .optional()
    .meta({ description: 'Whether the sign goes once the reply was sent.', default: false }),
}

type TelegramConfig = NonNullable<z.output<typeof telegramKey>>

interface Group {
  readonly enabled: boolean
  readonly requireMention: boolean
  readonly allowFrom: readonly string[] | undefined
}

/** What holds for one channel, whichever it is. */
export interface ChannelRules {
  readonly dmPolicy: 'pairing' | 'allowlist' | 'open' | 'disabled'
  /** Ids and handles as people wrote them; so below. */
  readonly allowFrom: readonly string[]
  readonly groupPolicy: 'allowlist' | 'open' | 'disabled'
  readonly groupAllowFrom: readonly string[] | undefined
  readonly groups: Readonly<Record<string, Group>> | undefined
  /** Bytes of one file that comes in. */
  readonly fileBytesMax: number
  readonly streams: boolean
}

/** How the service is reached: what a channel is made from, once for each start. */
export interface TelegramReach {
  readonly botToken: string
  readonly apiRoot: string
  /** Undefined: updates are asked for. */
  readonly webhook: { readonly url: string; readonly secret: string; readonly path: string } | undefined
}

export interface ChannelSettings {
  /** Undefined: there is no such channel. */
  readonly telegram: TelegramReach | undefined
  /** By the channel's id. */
  readonly rules: Readonly<Record<string, ChannelRules>>
  /** The sign under a message that was taken, and under which ones. */
  readonly ack: {
    readonly sign: string
    readonly scope: 'group-mentions' | 'group-all' | 'direct' | 'all'
    /** The sign goes once the reply was sent. */
    readonly isRemoved: boolean
  }
}

interface Config {
  readonly channels?: { readonly telegram?: z.output<typeof telegramKey> } | undefined
  readonly messages?:
    | {
        readonly ackReaction?: string | undefined
        readonly ackReactionScope?: ChannelSettings['ack']['scope'] | undefined
        readonly removeAckAfterReply?: boolean | undefined
      }
    | undefined
}

export function channelSettings(
  { channels, messages }: Config,
  { env, files }: { readonly env: Env; readonly files: Pick<Files, 'readText'> },
): ChannelSettings {
  const telegram = channels?.telegram
  const isOn = telegram !== undefined && telegram.enabled !== false
  return {
    telegram: isOn ? reachOf(telegram, tokenOf(telegram, env, files)) : undefined,
    rules: isOn ? { telegram: rulesOf(telegram) } : {},
    ack: {
      sign: messages?.ackReaction ?? ACK_DEFAULT,
      scope: messages?.ackReactionScope ?? 'group-mentions',
      isRemoved: messages?.removeAckAfterReply ?? false,
    },
  }
}

function tokenOf({ botToken, tokenFile }: TelegramConfig, env: Env, files: Pick<Files, 'readText'>): string {
  if (tokenFile !== undefined) return secretOf(tokenFile, files, 'channels.telegram.tokenFile')
  const token = botToken ?? env.TELEGRAM_BOT_TOKEN
  if (token) return token
  throw wrong(
    'channels.telegram',
    'has no token. Set botToken or tokenFile, or TELEGRAM_BOT_TOKEN in the environment; or set enabled to false.',
  )
}

function reachOf(config: TelegramConfig, botToken: string): TelegramReach {
  const { webhookUrl, webhookSecret, webhookPath = WEBHOOK_PATH_DEFAULT, apiRoot = API_ROOT_DEFAULT } = config
  if (!TOKEN.test(botToken)) {
    throw wrong('channels.telegram.botToken', 'is no token as BotFather shows it: digits, a colon, letters.')
  }
  if (webhookUrl === undefined) return { botToken, apiRoot, webhook: undefined }
  if (webhookSecret === undefined) {
    throw wrong('channels.telegram.webhookUrl', 'is set, but webhookSecret is not: anybody could hand on updates.')
  }
  return { botToken, apiRoot, webhook: { url: webhookUrl, secret: webhookSecret, path: webhookPath } }
}

function rulesOf(config: TelegramConfig): ChannelRules {
  return {
    dmPolicy: config.dmPolicy ?? 'pairing',
    allowFrom: config.allowFrom ?? [],
    groupPolicy: config.groupPolicy ?? 'allowlist',
    groupAllowFrom: config.groupAllowFrom,
    groups:
      config.groups && Object.fromEntries(Object.entries(config.groups).map(([id, group]) => [id, groupOf(group)])),
    fileBytesMax: Math.round((config.mediaMaxMb ?? MEDIA_MB_DEFAULT) * BYTES_PER_MB),
    streams: config.streamMode !== 'off',
  }
}

function groupOf({ enabled = true, requireMention = true, allowFrom }: z.output<typeof groupSchema>): Group {
  return { enabled, requireMention, allowFrom }
}

/** What is said at start of people who are named by what they can give away. */
export function channelWarnings({ rules }: ChannelSettings): string[] {
  return Object.entries(rules).flatMap(([id, { allowFrom, groupAllowFrom = [], groups = {} }]) => {
    const named = [...allowFrom, ...groupAllowFrom, ...Object.values(groups).flatMap(group => group.allowFrom ?? [])]
    const handles = [...new Set(named.filter(name => !/^((telegram|tg):)?-?\d+$|^\*$/i.test(name)))]
    if (handles.length === 0) return []
    return [
      `config: channels.${id} names ${handles.join(', ')} by handle; a handle can change hands: give the id instead`,
    ]
  })
}
