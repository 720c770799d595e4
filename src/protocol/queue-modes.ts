// What a message may do while a turn of its session runs: one list for the config, the protocol, the CLI and chats. It says
// no more than the names.
export const QUEUE_MODES = ['steer', 'followup', 'collect', 'interrupt', 'reject'] as const
