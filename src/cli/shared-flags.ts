// Flags that many commands have.
import type { Flags } from './arguments.ts'

export const JSON_FLAG = { summary: 'JSON on stdout, errors too: {"error":{"code","message"}}.' }
export const AGENT_FLAG = { value: '<id>', summary: 'Which agent (the default one).' }
export const GATEWAY_FLAGS: Flags = {
  url: { value: '<ws://…>', summary: 'Another gateway than the one of this machine.' },
  token: { value: '<token>', summary: 'Its token.' },
}
export const RPC_FLAGS: Flags = {
  ...GATEWAY_FLAGS,
  timeout: { value: '<ms>', summary: 'How long to wait for the answer (10000).' },
  json: JSON_FLAG,
}
