// A gateway as a service of the user's own systemd: the text of its unit, and where it goes. It writes one file and runs
// nothing: which commands begin it is told. What is secret stays out of the unit, which others may read.
import { SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import type { Env, Places } from '../config/locate.ts'

export interface ServiceAround {
  readonly platform: string
  readonly env: Env
  readonly home: string
  readonly places: Places
  readonly files: Files
  /** The full path that starts Sluice. */
  readonly launcher: string
}

export interface Service {
  /** As systemctl calls it. */
  readonly unit: string
  readonly path: string
  readonly text: string
  /** What the file holds now, if there is one. */
  readonly present: string | undefined
  /** A file of NAME=value lines for secrets; it may be missing. */
  readonly envPath: string
  write(): void
}

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/

/** A second gateway has a name, a state folder and a port of its own. */
export function serviceOf(around: ServiceAround, name: string | undefined): Service {
  const { platform, env, home, places, files } = around
  if (platform !== 'linux') {
    throw new SluiceError(
      'UNAVAILABLE',
      `A unit for systemd is of no use on ${platform}. Have its own service manager run: ${around.launcher} gateway`,
    )
  }
  if (name !== undefined && !NAME.test(name)) {
    throw new SluiceError('INVALID_REQUEST', `"${name}" is no name: 1 to 32 lower-case letters, digits and dashes.`)
  }
  if (!places.stateDir.startsWith('/')) {
    throw new SluiceError(
      'INVALID_REQUEST',
      `The state folder ${places.stateDir} is no full path: a service starts elsewhere. Write SLUICE_STATE_DIR in full.`,
    )
  }
  const unit = name === undefined ? 'sluice.service' : `sluice-${name}.service`
  const folder = `${env.XDG_CONFIG_HOME || `${home}/.config`}/systemd/user`
  const path = `${folder}/${unit}`
  const text = unitText(around)
  return {
    ...{ unit, path, text, present: files.readText(path), envPath: envPathOf(places) },
    write: () => {
      files.ensurePrivateFolder(folder)
      files.writePrivateText(path, text)
    },
  }
}

function envPathOf({ stateDir }: Places): string {
  return `${stateDir}/service.env`
}

/** What the environment says now of the places and the port holds for the service too. */
function unitText({ env, places, launcher }: ServiceAround): string {
  const { SLUICE_CONFIG_PATH: config, SLUICE_GATEWAY_PORT: port } = env
  const settings = [
    `SLUICE_STATE_DIR=${places.stateDir}`,
    ...(config ? [`SLUICE_CONFIG_PATH=${config}`] : []),
    ...(port ? [`SLUICE_GATEWAY_PORT=${port}`] : []),
  ]
  return [
    '[Unit]',
    'Description=Sluice, a gateway for AI agents',
    'Wants=network-online.target',
    'After=network-online.target',
    // What fails again and again needs a person, not another try.
    'StartLimitIntervalSec=300',
    'StartLimitBurst=5',
    '',
    '[Service]',
    `ExecStart=${quoted(launcher).replaceAll('$', '$$$$')} gateway`,
    ...settings.map(setting => `Environment=${quoted(setting)}`),
    `EnvironmentFile=-${envPathOf(places).replaceAll('%', '%%')}`,
    'Restart=on-failure',
    'RestartSec=2',
    'TimeoutStopSec=20',
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n')
}

/** One word of a unit file: quoted, and without its specifiers. A line break cannot be in one. */
function quoted(word: string): string {
  if (/[\r\n]/.test(word)) throw new SluiceError('INVALID_REQUEST', 'A path with a line break cannot stand in a unit.')
  return `"${word.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%')}"`
}
