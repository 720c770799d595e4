// The commands on the gateway as a machine sees it: its log, what another one leaves to it, events and heartbeats.
import type { Command } from './command.ts'
import { JSON_FLAG, RPC_FLAGS } from './shared-flags.ts'

const system = () => import('./commands/system.ts')

export const SYSTEM_COMMANDS: readonly Command[] = [
  {
    name: 'logs',
    summary: "Show the end of the gateway's log.",
    flags: {
      follow: { short: 'f', summary: 'And what is written to it from then on; Ctrl-C ends it.' },
      limit: { value: '<n>', summary: 'At most so many lines, the newest (200).' },
      ...RPC_FLAGS,
      json: { summary: 'The lines as they are, JSON each.' },
    },
    example: 'logs --follow',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'usage',
    summary: 'Show what models used and cost, day by day: in all, or of one session or job.',
    flags: {
      days: { value: '<n>', summary: 'The last so many days (30).' },
      session: { value: '<key>', summary: 'Of this session.' },
      job: { value: '<id>', summary: 'Of this job: its id, the beginning of it, or its name.' },
      ...RPC_FLAGS,
    },
    example: 'usage --days 7 --job my-job',
    load: async () => (await import('./commands/usage.ts')).usage,
  },
  {
    name: 'import clawdbot',
    summary: "Show which jobs and config could be taken over from Clawdbot's files, or take them over.",
    positionals: ['[path]'],
    flags: { yes: { summary: 'Have the running gateway take them over.' }, ...RPC_FLAGS },
    example: 'import clawdbot ~/.clawdbot --yes',
    load: async () => (await import('./commands/import.ts')).clawdbot,
  },
  {
    name: 'service install',
    summary: 'Write the unit by which your own systemd keeps a gateway running; it begins nothing.',
    flags: {
      name: { value: '<name>', summary: 'For a second gateway, with a state folder and a port of its own.' },
      print: { summary: 'Show the unit and write nothing.' },
      replace: { summary: 'Also where a unit is there that says something else.' },
      json: JSON_FLAG,
    },
    example: 'service install',
    load: async () => (await import('./commands/service.ts')).install,
  },
  {
    name: 'system event',
    summary: 'Tell the main session something, as an event.',
    flags: {
      text: { value: '<text>', summary: 'What it is told.' },
      mode: { value: 'now|next-heartbeat', summary: 'When it takes it up: either way at its next free moment.' },
      ...RPC_FLAGS,
    },
    example: 'system event --text "The washing machine is done"',
    load: async () => (await system()).event,
  },
  {
    name: 'system presence',
    summary: 'Show who is connected.',
    flags: RPC_FLAGS,
    example: 'system presence',
    load: async () => (await system()).presence,
  },
  {
    name: 'system heartbeat',
    summary: 'Show how the last heartbeat went, or switch them off or on until the next start.',
    positionals: ['last|enable|disable'],
    flags: RPC_FLAGS,
    example: 'system heartbeat disable',
    load: async () => (await system()).heartbeat,
  },
]
