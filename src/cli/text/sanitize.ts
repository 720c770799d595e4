// Text that came from a model, a job or a gateway, made safe for a terminal: what could move the cursor, recolour, set
// titles, write the clipboard or turn the reading direction is taken out. Letters, line breaks and tabs stay.

const ESC = '\u001b'
/** Whole sequences first (so that their parameters do not stay as litter), then single characters. */
const SEQUENCES = new RegExp(
  [
    `(?:${ESC}\\]|\u009d)[^\u0007\u009c${ESC}]*(?:\u0007|\u009c|${ESC}\\\\)?`, // OSC: titles, links, clipboard
    `(?:${ESC}[PX^_]|[\u0090\u0098\u009e\u009f])[^${ESC}\u009c]*(?:${ESC}\\\\|\u009c)?`, // DCS, SOS, PM, APC
    `(?:${ESC}\\[|\u009b)[0-?]*[ -/]*[@-~]?`, // CSI: cursor, colours, modes
    `${ESC}[ -/]*[0-~]?`, // the rest
  ].join('|'),
  'g',
)
const BIDI_OVERRIDES = '\u202a-\u202e\u2066-\u2069'
const CONTROLS = new RegExp(`[\u0000-\u0008\u000b-\u001f\u007f-\u009f${BIDI_OVERRIDES}]`, 'g')

/** Keeps `\n` and `\t`; `\r\n` becomes `\n`. */
export function sanitize(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(SEQUENCES, '').replace(CONTROLS, '')
}

/**
 * Nothing is taken out: what is invisible or steers a terminal is shown by its number, a line break as `⏎` before it. For
 * texts that a person judges by every character, such as a command.
 */
export function reveal(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character =>
    character === '\n' ? '⏎\n' : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}

/** The same as sanitize, on one line: every run of white space is one space. */
export function sanitizeLine(text: string): string {
  return sanitize(text.replace(/[\r\n\t]+/g, ' '))
    .replace(/ {2,}/g, ' ')
    .trim()
}
