// The commands on channels, and on who may talk there.
import type { Command } from './command.ts'
import { RPC_FLAGS } from './shared-flags.ts'

const channels = () => import('./commands/channels.ts')

export const CHANNEL_COMMANDS: readonly Command[] = [
  {
    name: 'channels status',
    aliases: ['channels', 'channels list'],
    summary: 'Say how the channels are.',
    flags: RPC_FLAGS,
    example: 'channels status',
    load: async () => (await channels()).status,
  },
  {
    name: 'channels add',
    summary: 'Write a channel into the config; its token comes from a file, the environment or stdin.',
    positionals: ['telegram'],
    flags: {
      'token-file': { value: '<path>', summary: 'The file that has the token, and keeps it.' },
      'use-env': { summary: 'The gateway has it in its environment, as TELEGRAM_BOT_TOKEN.' },
      ...RPC_FLAGS,
    },
    example: 'channels add telegram --token-file /run/secrets/bot-token',
    load: async () => (await channels()).add,
  },
  {
    name: 'pairing list',
    aliases: ['pairing'],
    summary: 'Show strangers who have a code, and people who were let in by one.',
    flags: RPC_FLAGS,
    example: 'pairing list',
    load: async () => (await channels()).people,
  },
  {
    name: 'pairing approve',
    summary: 'Let the stranger with this code talk to the agent.',
    positionals: ['code'],
    flags: {
      owner: { summary: 'They own the gateway: they are asked about strangers, and let them in.' },
      ...RPC_FLAGS,
    },
    example: 'pairing approve K7QXW2MD',
    load: async () => (await channels()).letIn,
  },
  {
    name: 'pairing deny',
    summary: 'Make the code of a stranger void.',
    positionals: ['code'],
    flags: RPC_FLAGS,
    example: 'pairing deny K7QXW2MD',
    load: async () => (await channels()).leaveOut,
  },
  {
    name: 'pairing revoke',
    summary: 'Shut out a person who was let in by a code.',
    positionals: ['channel', 'person'],
    flags: { owner: { summary: 'Only as an owner: they may still talk.' }, ...RPC_FLAGS },
    example: 'pairing revoke telegram 123456789',
    load: async () => (await channels()).shutOut,
  },
]
