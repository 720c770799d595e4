// Heartbeats as config, scheduler and turns know them: the rule of one agent, and the word of silence.

export interface HeartbeatRule {
  readonly agentId: string
  readonly everyMs: number
  /** Minutes of the local day; from later than until: over midnight. Undefined: always. */
  readonly activeHours: { readonly from: number; readonly until: number; readonly zone: string } | undefined
  readonly prompt: string
  /** `last`: what is said is told to the session's person where they read; `none`: it stays in the session. */
  readonly target: 'none' | 'last'
  /** A reply with HEARTBEAT_OK at an end and at most so many characters beside it says that there is nothing to say. */
  readonly ackLengthMax: number
  readonly model: string | undefined
}

const ACK = 'HEARTBEAT_OK'
const AT_AN_END = new RegExp(`^\\W*${ACK}\\b\\W*|\\W*\\b${ACK}\\W*$`)

/** At most so many characters may stand beside the word, where nothing else is said. */
const ACK_LENGTH_MAX = 300

export function isAck(reply: string, lengthMax = ACK_LENGTH_MAX): boolean {
  const rest = reply.trim().replace(AT_AN_END, '')
  return rest.length !== reply.trim().length && rest.length <= lengthMax
}
