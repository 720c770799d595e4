// What Sluice claims of the protocol that clients of the family speak: one id per fact, in our words. Each is shown by a
// test that cites its id; one that nobody cites fails the suite. A `gap` is a fact that does not hold yet: its test must
// fail, so that nobody forgets to take the gap away.

export interface Requirement {
  readonly text: string
  /** Why it does not hold yet. */
  readonly gap?: string
}

const fact = (text: string): Requirement => ({ text })
const missing = (text: string, gap: string): Requirement => ({ text, gap })

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
  'SESS-6': fact(
    'a list of sessions has its own time, path, count and defaults; rows are newest first and can be searched',
  ),
  'SESS-7': fact(
    'a deleted session is answered with its key and what became of its transcript; another time as not deleted',
  ),
  'SESS-8': fact('levels are set, refused with those that there are, and taken away by null'),
  'SESS-9': fact('compact says what was not compacted, and why'),
  'SESS-10': fact('a preview shows who said what, cut to the asked length'),
  // More of health and system.
  'SYS-6': fact('health names agents with their heartbeats and sessions, as the CLI reads them unguarded'),
  'SYS-7': fact('status has heartbeats, channel lines, queued events and sessions, as the CLI reads them'),
  'SYS-8': fact('what models used is told by day and by provider'),
  'SYS-9': fact('models, agents and the identity of an agent are told in the shapes of the family'),
  'SYS-10': fact('a line of the log has message, level and time under the names that the family reads'),
  'SYS-11': fact('system-event is answered, and changes who is present'),
  'SYS-12': missing(
    'every method of the family exists',
    'there is no voice, no setup wizard, no node, no skill and no poll to have methods for',
  ),
  'SYS-13': missing(
    'every event name of the family is announced',
    'nodes and voice, which they are about, do not exist',
  ),
  // More of jobs.
  'CRON-9': fact('a list has the soonest first, and the disabled ones only when asked'),
  'CRON-10': fact('the scheduler says whether it runs, where jobs are, how many, and when it wakes next, or null'),
  'CRON-11': fact('runs come oldest first, the newest so many; of an unknown job there are none'),
  'CRON-12': fact('what the lenient forms do not name is refused: texts for numbers, flat fields, no name'),
  'CRON-13': fact('a bad expression and a bad zone are refused in the words of their parsers'),
  'CRON-14': fact(
    'an update merges a payload of the same kind, replaces isolation whole, and clears by null and blank',
  ),
  'CRON-15': fact('another kind of payload needs its text'),
  'CRON-16': fact('a disabled job has no next time; enabled again it has'),
  'CRON-17': fact('a one-shot that went well is disabled, or removed where it says so'),
  // More of chats and runs.
  'CHAT-6': fact('what is injected is in the history, and told as the final of a run of its own'),
  'CHAT-7': fact('history tells the thinking level; off is what holds without one'),
  'CHAT-8': fact('an abort where nothing runs is no error'),
  'CHAT-9': fact('a session that takes nothing refuses in known words'),
  'CHAT-10': fact('what was stopped is told as aborted, by whom; what failed as an error with its words'),
  'RUN-1': fact('the final answer has status, summary, payloads, and of the turn its time, session, model and usage'),
  'RUN-2': fact('a wait for a run that nobody knows times out; for one that ended it tells when'),
  'RUN-3': fact('an agent that is not the one of the session key is refused before anything runs'),
  'RUN-4': fact("all params of the family's CLI are taken by agent, with none of them needed"),
  'RUN-5': fact('a session can be named by its transcript; one that is not there is refused'),
  'RUN-6': fact('a reply goes to the named recipient; one on a channel that is not there is refused'),
  'RUN-7': fact('a repeat of agent is the same run'),
  // Other methods.
  'EXEC-1': fact('a decision on nothing, and one that is none, are refused in known words'),
  'DEV-1': fact('a wish that is not there is refused in known words; no token is ever listed'),
  'CHAN-1': fact('a channel that is not there is refused by name'),
  'NODE-1': fact('nodes that wait and are paired are listed: none'),
  'CONF-1': fact('the config has a JSON Schema with a version'),
  // Events.
  'EVT-1': fact('a run is told from start to end: in rising numbers from 1, the text so far and what is new of it'),
  'EVT-2': fact('a tool of a turn is told as it starts and as it ends, under one id'),
  'EVT-3': fact('a stop is announced with its reason, then the connection is closed with 1012'),
  'EVT-4': fact('a question of a turn is told with all fields, those that it has not as null'),
  // Tools of agents.
  'TOOL-1': fact('the session, cron, gateway, exec and web tools have the names that agents know'),
  'TOOL-2': fact('their params have the names that agents know'),
  'TOOL-3': fact('what sessions_send and sessions_spawn answer has status, run and session'),
  'TOOL-4': fact('a tool that fails answers with status error, its name, and why'),
  'TOOL-5': missing(
    'every tool of the family is offered',
    'files, browser, canvas, nodes, messages, speech, memory, images and web search are not built',
  ),
  'TOOL-6': missing(
    'every param of these tools is known',
    'no address of a gateway is taken (W1), and a turn does not choose its own model by asking for its status; what wake and contextMessages do, a job with a systemEvent and a text of its own does',
  ),
  // The CLI.
  'CLI-1': fact('the commands that talk to a gateway have the names of the family'),
  'CLI-2': fact('cron add and cron edit take the flags of the family'),
  'CLI-3': fact('the table of jobs has the columns that scripts cut'),
  'CLI-4': fact('cron status and gateway call print JSON; a refusal is on stderr, with exit code 1'),
  'CLI-5': fact('a text for the main session, heartbeats and presence are a command each'),
  'CLI-6': missing('the commands on nodes, messages, skills and memory exist', 'what they are about is not built'),
  // HTTP.
  'HTTP-1': fact('who shows nothing is refused as JSON; on hooks as plain text'),
  'HTTP-2': fact('a wrong verb is a 405 in plain text that names the right one'),
  'HTTP-3': fact('chat completions answer as that API: id, object, choices, usage; streamed up to [DONE]'),
  'HTTP-4': fact('responses answer as that API: id, object, status, output, usage'),
  'HTTP-5': fact('tools are invoked with ok and result; one that is not to be had is a 404 with its name'),
  'HTTP-6': fact('hooks answer wake with its mode, agent with 202 and a run; what is wrong with ok false'),
  'HTTP-7': fact('agent and session are chosen by header, by model, by user'),
  'HTTP-8': missing('every other path is the page', 'there is no browser UI yet whose paths they were'),
} as const satisfies Record<string, Requirement>

export type RequirementId = keyof typeof REQUIREMENTS
