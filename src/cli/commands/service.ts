// `sluice service install` writes the unit by which the user's own systemd keeps a gateway running, and says which
// commands begin it. It runs none of them. A unit that somebody changed is not replaced unasked.
import { SluiceError } from '../../base/errors.ts'
import type { Run } from '../command.ts'
import { writeJson } from '../gateway-link.ts'
import { EXIT } from '../shell.ts'

export const install: Run = async (args, shell) => {
  const service = (await shell.services())(args.text('name'))
  const { unit, path, text, present, envPath } = service
  if (args.has('print')) {
    if (args.has('json')) writeJson(shell, { unit, path, text, envPath })
    else shell.stdout.write(text)
    return EXIT.ok
  }
  const isThere = present === text
  if (present !== undefined && !isThere && !args.has('replace')) {
    throw new SluiceError(
      'CONFLICT',
      `${path} is there and says something else. Look at what would be written with --print, and add --replace to write it.`,
    )
  }
  if (!isThere) service.write()
  const next = [
    'systemctl --user daemon-reload',
    `systemctl --user enable --now ${unit}`,
    // Without it the user's services end with the last session.
    'loginctl enable-linger',
  ]
  if (args.has('json')) writeJson(shell, { unit, path, written: !isThere, envPath, next })
  else {
    const begun = isThere ? `${path} is as it should be.` : `Written: ${path}`
    const secrets = `Keys for models and channels go into ${envPath}, a line NAME=value each, readable by you alone.`
    shell.stdout.write(`${[begun, secrets, 'Then:', ...next.map(line => `  ${line}`)].join('\n')}\n`)
  }
  return EXIT.ok
}
