// All commands: their names, flags and one line on each. Help, parsing and did-you-mean are derived from this table; what
// a command does is loaded only when it is called.

import type { Flags } from './arguments.ts'
import { CHANNEL_COMMANDS } from './catalogue-channels.ts'
import { SYSTEM_COMMANDS } from './catalogue-system.ts'
import type { Command } from './command.ts'
import { JOB_FLAGS } from './job-flag-list.ts'
import { AGENT_FLAG, GATEWAY_FLAGS, JSON_FLAG, RPC_FLAGS } from './shared-flags.ts'

export const GLOBAL_FLAGS: Flags = {
  help: { short: 'h', summary: 'Show what a command does and takes.' },
  'no-color': { summary: 'Plain text; so does NO_COLOR.' },
}

const SESSION_FLAG = { value: '<key>', aliases: ['session-key'], summary: 'Which session (the main one).' }

const approvals = () => import('./commands/approvals.ts')
const config = () => import('./commands/config.ts')
const devices = () => import('./commands/devices.ts')
const backup = () => import('./commands/backup.ts')
const gateway = () => import('./commands/gateway.ts')
const sessions = () => import('./commands/sessions.ts')
const status = () => import('./commands/status.ts')
const cron = () => import('./commands/cron.ts')
const cronEdit = () => import('./commands/cron-edit.ts')

const LEDGER_FLAGS: Flags = {
  since: { value: '<time>', summary: 'From then on: 2d, 2026-12-24.' },
  state: { value: '<state>', summary: 'Only those that are ok, failed, skipped, …' },
  limit: { value: '<n>', summary: 'The newest so many (50).' },
  before: { value: '<seq>', summary: 'Of those before that row: the next page.' },
  ...RPC_FLAGS,
}

const CRON_COMMANDS: readonly Command[] = [
  {
    name: 'cron list',
    aliases: ['cron ls'],
    summary: 'List the jobs, soonest first.',
    flags: {
      all: { summary: 'Disabled ones too.' },
      'made-by': { value: 'operator|agent|import', summary: 'Only those that these made.' },
      ...RPC_FLAGS,
    },
    example: 'cron list --all',
    load: async () => (await cron()).list,
  },
  {
    name: 'cron show',
    aliases: ['cron get'],
    summary: 'Show a job: all of its policy that holds, how it went, and when it comes.',
    positionals: ['id'],
    flags: RPC_FLAGS,
    example: 'cron show my-job',
    load: async () => (await cron()).show,
  },
  {
    name: 'cron add',
    aliases: ['cron create'],
    summary: 'Add a job.',
    flags: {
      ...JOB_FLAGS,
      disabled: { summary: 'Add it switched off.' },
      dedupe: { summary: 'Make nothing when an equal job exists.' },
      key: { value: '<text>', summary: 'Idempotency key: a repeat with it makes no second job.' },
      ...RPC_FLAGS,
    },
    example: "cron add --name my-job --schedule '0 */6 * * *' --message hi",
    load: async () => (await cronEdit()).add,
  },
  {
    name: 'cron edit',
    aliases: ['cron update'],
    summary: 'Change a job; what is not named stays.',
    positionals: ['id'],
    flags: {
      ...JOB_FLAGS,
      enable: { summary: 'Switch it on.' },
      disable: { summary: 'Switch it off.' },
      'keep-after-run': { summary: 'Do not remove it after its run.' },
      'clear-when': { summary: 'Go on without a command that decides.' },
      'clear-agent': { summary: 'Back to the default agent.' },
      'failure-alert': { summary: 'Say when it begins to fail, and when it works again.' },
      'no-best-effort-deliver': { summary: 'A reply that cannot be sent is a failure.' },
      ...RPC_FLAGS,
    },
    example: 'cron edit my-job --every 2h',
    load: async () => (await cronEdit()).edit,
  },
  {
    name: 'cron rm',
    aliases: ['cron remove', 'cron delete'],
    summary: 'Remove a job.',
    positionals: ['id'],
    flags: RPC_FLAGS,
    example: 'cron rm my-job',
    load: async () => (await cron()).remove,
  },
  {
    name: 'cron enable',
    summary: 'Switch a job on.',
    positionals: ['id'],
    flags: RPC_FLAGS,
    example: 'cron enable my-job',
    load: async () => (await cronEdit()).enable,
  },
  {
    name: 'cron disable',
    summary: 'Switch a job off.',
    positionals: ['id'],
    flags: RPC_FLAGS,
    example: 'cron disable my-job',
    load: async () => (await cronEdit()).disable,
  },
  {
    name: 'cron run',
    summary: 'Run a job now, if it is due.',
    positionals: ['id'],
    flags: {
      force: { summary: 'Even if it is not due.' },
      wait: { summary: 'Wait until it has ended.' },
      ...RPC_FLAGS,
    },
    example: 'cron run my-job --force --wait',
    load: async () => (await cron()).run,
  },
  {
    name: 'cron runs',
    summary: 'Show the runs of a job, oldest first.',
    positionals: ['id'],
    flags: { id: { value: '<id>', summary: 'The job, as a flag.' }, ...LEDGER_FLAGS },
    example: 'cron runs my-job --limit 10',
    load: async () => (await cron()).runs,
  },
  {
    name: 'cron history',
    summary: 'Show what became of all jobs, or of one, oldest first.',
    positionals: ['[id]'],
    flags: { ...LEDGER_FLAGS, since: { value: '<time>', summary: 'From then on: 2d, 2026-12-24 (1d).' } },
    example: 'cron history --since 2d --state failed',
    load: async () => (await cron()).history,
  },
  {
    name: 'cron next',
    summary: 'Show when a job runs next.',
    positionals: ['id'],
    flags: { count: { value: '<n>', short: 'n', summary: 'So many times (5).' }, ...RPC_FLAGS },
    example: 'cron next my-job -n 20',
    load: async () => (await cron()).next,
  },
  {
    name: 'cron when',
    summary: 'Show how a time in plain words is read, and when it comes; makes nothing.',
    positionals: ['words'],
    flags: { count: { value: '<n>', short: 'n', summary: 'So many times (5).' }, ...RPC_FLAGS },
    example: "cron when 'every weekday at 9'",
    load: async () => (await cron()).when,
  },
  {
    name: 'cron status',
    summary: 'Say how the scheduler is.',
    flags: RPC_FLAGS,
    example: 'cron status',
    load: async () => (await cron()).status,
  },
]

const APPROVAL_COMMANDS: readonly Command[] = [
  {
    name: 'approvals',
    aliases: ['approvals list'],
    summary: 'Show what waits for a yes or no.',
    flags: {
      session: { value: '<key>', aliases: ['session-key'], summary: 'Only what is asked in this session.' },
      ...RPC_FLAGS,
    },
    example: 'approvals',
    load: async () => (await approvals()).list,
  },
  {
    name: 'approve',
    summary: 'Allow what a turn asks for.',
    positionals: ['id'],
    flags: { always: { summary: 'Its like from now on too, for the same agent.' }, ...RPC_FLAGS },
    example: 'approve 0fe0ab11',
    load: async () => (await approvals()).approve,
  },
  {
    name: 'deny',
    summary: 'Deny what a turn asks for.',
    positionals: ['id'],
    flags: RPC_FLAGS,
    example: 'deny 0fe0ab11',
    load: async () => (await approvals()).deny,
  },
]

const DEVICE_COMMANDS: readonly Command[] = [
  {
    name: 'devices list',
    aliases: ['devices', 'devices ls'],
    summary: 'Show devices that were let in, and those that wait to be.',
    flags: RPC_FLAGS,
    example: 'devices list',
    load: async () => (await devices()).list,
  },
  {
    name: 'devices approve',
    summary: 'Let a device in.',
    positionals: ['request'],
    flags: RPC_FLAGS,
    example: 'devices approve 0fe0ab11',
    load: async () => (await devices()).approve,
  },
  {
    name: 'devices reject',
    summary: 'Refuse a device that waits to be let in.',
    positionals: ['request'],
    flags: RPC_FLAGS,
    example: 'devices reject 0fe0ab11',
    load: async () => (await devices()).reject,
  },
  {
    name: 'devices revoke',
    summary: 'Shut a device out, and close its connections.',
    positionals: ['device'],
    flags: RPC_FLAGS,
    example: 'devices revoke 4be1c6',
    load: async () => (await devices()).revoke,
  },
]

const BACKUP_COMMANDS: readonly Command[] = [
  {
    name: 'backup create',
    summary: 'Back up store and config into one file, also while the gateway runs.',
    positionals: ['[file]'],
    flags: { 'with-secrets': { summary: 'The token and the secrets of the config too.' }, json: JSON_FLAG },
    example: 'backup create sluice.backup',
    load: async () => (await backup()).create,
  },
  {
    name: 'backup verify',
    summary: 'Check all of a backup, and say what is in it.',
    positionals: ['file'],
    flags: { json: JSON_FLAG },
    example: 'backup verify sluice.backup',
    load: async () => (await backup()).verify,
  },
  {
    name: 'backup restore',
    summary: 'Put a backup into the state folder; the gateway must be stopped.',
    positionals: ['file'],
    flags: { force: { summary: 'Replace the store that is there; it is kept beside it.' }, json: JSON_FLAG },
    example: 'backup restore sluice.backup',
    load: async () => (await backup()).restore,
  },
]

const SESSION_COMMANDS: readonly Command[] = [
  {
    name: 'sessions',
    aliases: ['sessions list'],
    summary: 'List the sessions, newest first.',
    flags: { limit: { value: '<n>', summary: 'At most so many (50).' }, agent: AGENT_FLAG, ...RPC_FLAGS },
    example: 'sessions --limit 10',
    load: async () => (await sessions()).list,
  },
  {
    name: 'sessions show',
    summary: 'Show what was said in a session, oldest first.',
    positionals: ['key'],
    flags: { limit: { value: '<n>', summary: 'At most so many messages, the newest (50).' }, ...RPC_FLAGS },
    example: 'sessions show main',
    load: async () => (await sessions()).show,
  },
  {
    name: 'sessions set',
    summary: 'Set what holds for one session; an empty text takes it back.',
    positionals: ['key'],
    flags: {
      label: { value: '<text>', summary: 'A name by which to find it.' },
      model: { value: '<model>', summary: 'The model of its turns.' },
      queue: { value: '<mode>', summary: 'While a turn runs: steer, followup, collect, interrupt or reject.' },
      ...RPC_FLAGS,
    },
    example: 'sessions set main --queue collect',
    load: async () => (await sessions()).set,
  },
  {
    name: 'sessions rm',
    aliases: ['sessions delete', 'sessions remove'],
    summary: 'Delete a session; its turns are stopped.',
    positionals: ['key'],
    flags: RPC_FLAGS,
    example: 'sessions rm agent:main:old',
    load: async () => (await sessions()).rm,
  },
]

const CONFIG_COMMANDS: readonly Command[] = [
  {
    name: 'config get',
    summary: 'Show what the config says, all of it or one key; never its secrets.',
    positionals: ['[key]'],
    flags: RPC_FLAGS,
    example: 'config get agents.defaults.model',
    load: async () => (await config()).get,
  },
  {
    name: 'config set',
    summary: 'Set one key; a wrong value is refused. Comments of the file stay.',
    positionals: ['key', 'value'],
    flags: {
      text: { summary: 'Take the value as a text, also where it looks like a number or a list.' },
      ...RPC_FLAGS,
    },
    example: 'config set agents.defaults.userTimezone Europe/Berlin',
    load: async () => (await config()).set,
  },
  {
    name: 'config unset',
    summary: 'Take one key away; its default holds.',
    positionals: ['key'],
    flags: RPC_FLAGS,
    example: 'config unset cron.maxConcurrentRuns',
    load: async () => (await config()).unset,
  },
  {
    name: 'config validate',
    summary: 'Say what is wrong with the config file, or with another in its place.',
    positionals: ['[file]'],
    flags: { json: JSON_FLAG },
    example: 'config validate new.json5',
    load: async () => (await config()).validate,
  },
  {
    name: 'config schema',
    summary: 'Print the JSON Schema of the config.',
    flags: { json: JSON_FLAG },
    example: 'config schema',
    load: async () => (await config()).schema,
  },
  {
    name: 'config path',
    summary: 'Say where the config file is.',
    flags: {},
    example: 'config path',
    load: async () => (await config()).path,
  },
]

export const COMMANDS: readonly Command[] = [
  {
    name: 'gateway',
    aliases: ['gateway run'],
    summary: 'Run the gateway in this terminal; Ctrl-C stops it.',
    flags: { port: { value: '<n>', summary: 'Port to listen on (18789).' } },
    example: 'gateway --port 18789',
    load: async () => (await gateway()).run,
  },
  {
    name: 'chat',
    summary: 'Talk with the agent.',
    flags: { session: SESSION_FLAG, agent: AGENT_FLAG, ...GATEWAY_FLAGS },
    example: 'chat',
    load: async () => (await import('./commands/chat.ts')).chat,
  },
  {
    name: 'agent',
    summary: 'Send one message and print the reply.',
    flags: {
      message: { value: '<text>', short: 'm', summary: 'What to say.' },
      session: SESSION_FLAG,
      agent: AGENT_FLAG,
      thinking: { value: '<level>', summary: 'How much the model thinks.' },
      deliver: { summary: 'Send the reply to a channel too.' },
      channel: { value: '<channel>', summary: 'Which channel (where the person of the session reads).' },
      to: { value: '<chat>', aliases: ['reply-to'], summary: 'Which chat there.' },
      ...GATEWAY_FLAGS,
      timeout: { value: '<s>', summary: 'Bound on the work of the turn, in seconds (600).' },
      json: { summary: 'JSON on stdout, errors too.' },
    },
    example: 'agent --message "What is scheduled?"',
    load: async () => (await import('./commands/agent.ts')).agent,
  },
  ...CRON_COMMANDS,
  ...APPROVAL_COMMANDS,
  ...CONFIG_COMMANDS,
  ...DEVICE_COMMANDS,
  ...CHANNEL_COMMANDS,
  ...BACKUP_COMMANDS,
  {
    name: 'completion',
    summary: 'Print the script by which bash, zsh or fish completes these commands.',
    positionals: ['shell'],
    flags: {},
    example: 'completion bash',
    load: async () =>
      (await import('./commands/completion.ts')).completionOf({ commands: COMMANDS, globalFlags: GLOBAL_FLAGS }),
  },
  {
    name: 'doctor',
    summary: 'Say what is wrong with this machine, the config and the state folder; a gateway need not run.',
    flags: {
      fix: { summary: 'Mend what can be mended without losing anything, and look again.' },
      ...GATEWAY_FLAGS,
      json: JSON_FLAG,
    },
    example: 'doctor --fix',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'health',
    aliases: ['gateway health'],
    summary: 'Say whether the gateway is well.',
    flags: RPC_FLAGS,
    example: 'health',
    load: async () => (await status()).health,
  },
  {
    name: 'status',
    summary: 'Say what the gateway does now.',
    flags: RPC_FLAGS,
    example: 'status',
    load: async () => (await status()).status,
  },
  {
    name: 'waits',
    summary: 'Show who waits for what, since when and until when.',
    flags: RPC_FLAGS,
    example: 'waits',
    load: async () => (await status()).waits,
  },
  ...SESSION_COMMANDS,
  {
    name: 'models list',
    aliases: ['models'],
    summary: 'List the models there are, and which are asked.',
    flags: RPC_FLAGS,
    example: 'models list',
    load: async () => (await import('./commands/models.ts')).list,
  },
  ...SYSTEM_COMMANDS,
  {
    name: 'gateway restart',
    summary: 'Restart the gateway; what its turns do goes on afterwards.',
    flags: {
      reason: { value: '<text>', summary: 'Why, for its log.' },
      delay: { value: '<duration>', summary: 'How long to wait before it: 5s (1s).' },
      'no-wait': { summary: 'Do not wait until it answers again.' },
      ...RPC_FLAGS,
    },
    example: 'gateway restart --reason "new config"',
    load: async () => (await gateway()).restart,
  },
  {
    name: 'gateway call',
    summary: 'Call any method of the gateway.',
    positionals: ['method'],
    flags: { params: { value: '<json>', summary: 'Its params ({}).' }, ...RPC_FLAGS },
    example: `gateway call cron.list --params '{"includeDisabled":true}'`,
    load: async () => (await gateway()).call,
  },
]
