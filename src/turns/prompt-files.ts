// What the owner of an agent has written into its folder for it: who it is, for whom it works, what it has to know. Read
// where the turn is performed, so that a slow disk holds up that turn alone. A file that is not there says nothing; one
// that cannot be read is named, so that nobody wonders why it is not heeded.
import type { Files } from '../base/world.ts'

const NAMES = ['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'TOOLS.md'] as const

export interface PromptFolder {
  readonly folder: string
  /** Characters of each file that are shown. */
  readonly lengthMax: number
}

/** The system prompt with the files of the folder behind it. */
export function withPromptFiles(system: string, { folder, lengthMax }: PromptFolder, read: Files['readText']): string {
  const found = lengthMax === 0 ? [] : NAMES.flatMap(name => section(name, { folder, lengthMax }, read))
  return [system, ...found].join('\n\n')
}

function section(name: string, { folder, lengthMax }: PromptFolder, read: Files['readText']): string[] {
  const path = `${folder}/${name}`
  let text: string | undefined
  try {
    text = read(path)?.trim()
  } catch (error) {
    return [`# ${path}\n(It cannot be read: ${(error as Error).message})`]
  }
  if (!text) return []
  const rest = text.length - lengthMax
  return [`# ${path}\n${rest > 0 ? `${text.slice(0, lengthMax)}… (cut: ${rest} more characters)` : text}`]
}
