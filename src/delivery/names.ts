// What people of chats call themselves, as others may be shown it: one short line that cannot pass for anything else.

const LENGTH_MAX = 60
/** What would end the brackets that a name stands in, or a line; or turn the words after it round. */
const NOT_IN_NAMES = /[[\]\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu

export interface Person {
  readonly id: string
  readonly name?: string | undefined
  readonly handle?: string | undefined
}

export function shownName({ id, name, handle }: Person): string {
  return shownWords(name ?? handle ?? id, LENGTH_MAX) || id
}

/** The beginning of what somebody wrote, as safe as a name. */
export function shownWords(text: string, lengthMax: number): string {
  return [...text.replaceAll(NOT_IN_NAMES, ' ').trim()].slice(0, lengthMax).join('')
}

/** With what nobody chooses for themselves. */
export function fullName(person: Person): string {
  const { id, handle } = person
  return `${shownName(person)} (${handle === undefined ? '' : `@${shownName({ id, handle })}, `}id ${id})`
}
