// What Sluice claims of the protocol that clients of the family speak: one id per fact, in our words. Each is shown by a
// test that cites its id; one that nobody cites fails the suite. A `gap` is a fact that does not hold yet: its test must
// fail, so that nobody forgets to take the gap away.

export interface Requirement {
  readonly text: string
  /** Why it does not hold yet. */
  readonly gap?: string
}

const fact = (text: string): Requirement => ({ text })

export const REQUIREMENTS = {
  // What a client must find to work at all.
  'C-1': fact(
    'the challenge comes at once and unasked, with a nonce; signatures with and without it are accepted on this machine',
  ),
  'C-2': fact('a frame has no key but those of the protocol, whatever is answered'),
  'C-3': fact('a tick is promised at most every 30 s, by the name of its interval in the policy'),
  'C-4': fact('a device gets the same token again; a client without one gets none'),
  'C-5': fact('the CLI of this machine is let in with all it asks for, without a question to anybody'),
  'C-6': fact('the server names its version, and just the methods that exist'),
  'C-7': fact('health answers while every turn waits for its model'),
  'C-8': fact(
    'agent answers twice under one id, the first accepted; chat.send is acknowledged, then told by chat events whose text only grows',
  ),
  'C-9': fact('a job in a list has state, schedule, payload, target, wake mode and enabled, always'),
  'C-10': fact('wrong params and unknown methods are refused in the words that clients show'),
  'C-11': fact('id and jobId, job and data, and the lenient forms of a job are understood'),
  'C-12': fact('a refused handshake is answered, then closed with 1008 and the same words, at most 120 bytes'),
  'C-13': fact('a config is changed on the hash that was read, and two known sentences refuse what is not'),
  'C-14': fact('seq rises on every connection'),
  'C-15': fact('the root is a page; a verb that it does not know is refused as such'),
  // Frames.
  'FRAME-1': fact('what is no JSON is passed over after the handshake, and ends the connection before it'),
  'FRAME-2': fact('a malformed request is answered under its id, or under "invalid", and the connection stays'),
  'FRAME-3': fact('a frame over the limit ends the connection with 1009'),
  'FRAME-4': fact('requests of one connection are handled side by side'),
  'FRAME-5': fact('a second connect is refused and ends nothing'),
  // Errors.
  'ERR-1': fact('an unknown job is an UNAVAILABLE error that begins with "Error: unknown cron job id"'),
  'ERR-2': fact('an unexpected key is named as one'),
  'ERR-3': fact('a missing scope is named'),
  // The handshake.
  'HELLO-1': fact('hello tells limits, snapshot, defaults of sessions and the connection'),
  'HELLO-2': fact('a range of versions without ours is refused with the expected one, and 1002'),
  'HELLO-3': fact('a role that is none is refused'),
  'HELLO-4': fact('who shows nothing is told to pair'),
  // Health and system.
  'SYS-1': fact('presence lists the gateway first; a client is in it, and seen to leave by others'),
  'SYS-2': fact('last-heartbeat is null before the first; set-heartbeats answers what holds'),
  'SYS-3': fact('wake takes a text for the main session; a blank one is not taken, and no error'),
  'SYS-4': fact('the log is read by cursor; nothing is read twice'),
  'SYS-5': fact(
    'what there is none of is answered so (nodes, skills, channels) where clients ask as they connect, else as an unknown method',
  ),
  // Jobs.
  'CRON-1': fact('a removed job that never was is answered with removed: false'),
  'CRON-2': fact('a run that is not due says so; the default mode is due'),
  'CRON-3': fact('both id and jobId, or neither, are refused'),
  'CRON-4': fact('main jobs take events, isolated ones turns; other pairs are refused in known words'),
  'CRON-5': fact('state is not taken from a client'),
  'CRON-6': fact('events follow a job: added, updated, started, finished, removed'),
  'CRON-7': fact('a refused update changes nothing'),
  'CRON-8': fact('a time without a zone is UTC for a client that says nothing of zones'),
  // Chats and runs.
  'CHAT-1': fact('chat events carry the session key as the caller wrote it'),
  'CHAT-2': fact('a stop word stops instead of being said'),
  'CHAT-3': fact('a repeat while it runs is in_flight, and after it ok'),
  'CHAT-4': fact('history shows what was said, with the roles that clients know'),
  'CHAT-5': fact('a run of another session is not stopped by mistake'),
  // Sessions.
  'SESS-1': fact('sessions are resolved by key, id or label, exactly one of them'),
  'SESS-2': fact('a label belongs to one session'),
  'SESS-3': fact('the main session is not deleted'),
  'SESS-4': fact('a reset gives a new transcript and keeps the key'),
  'SESS-5': fact('a preview of a session that is not there is "missing", not an error'),
} as const satisfies Record<string, Requirement>

export type RequirementId = keyof typeof REQUIREMENTS
