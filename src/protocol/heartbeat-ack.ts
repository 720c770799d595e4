// The word by which a heartbeat's turn says that there is nothing to say.
const ACK = 'HEARTBEAT_OK'
const AT_AN_END = new RegExp(`^\\W*${ACK}\\b\\W*|\\W*\\b${ACK}\\W*$`)

/** At most so many characters may stand beside the word, where nothing else is said. */
const ACK_LENGTH_MAX = 300

export function isAck(reply: string, lengthMax = ACK_LENGTH_MAX): boolean {
  const rest = reply.trim().replace(AT_AN_END, '')
  return rest.length !== reply.trim().length && rest.length <= lengthMax
}
