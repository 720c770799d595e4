// `sluice completion bash|zsh|fish` prints the script by which that shell completes our commands.
import type { Run } from '../command.ts'
import { type Catalogue, completionScript, SHELLS } from '../completion.ts'
import { EXIT } from '../shell.ts'

export function completionOf(catalogue: Catalogue): Run {
  return async (args, shell) => {
    const [wanted] = args.positionals
    const found = SHELLS.find(name => name === wanted)
    if (!found) throw args.usage(`Which shell: ${SHELLS.join(', ')}?`)
    shell.stdout.write(completionScript(found, catalogue))
    return EXIT.ok
  }
}
