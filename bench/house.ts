// The gateway's inside, furnished in this process by the production function; the runner is the caller's choice, and the
// parts can be reached. For benches that look between the parts.
import { nodeWorld } from '../src/base/node/world.ts'
import { loadSettings } from '../src/config/load.ts'
import { locate } from '../src/config/locate.ts'
import type { Caller } from '../src/dispatch/caller.ts'
import { furnish as furnishHouse, type House as GatewayHouse } from '../src/house.ts'
import { isMethodName } from '../src/protocol/catalogue.ts'
import type { Store } from '../src/store/port.ts'
import { cronTool } from '../src/tools/cron-tool.ts'
import { SESSION_TOOLS } from '../src/tools/session-tools.ts'
import { Toolbox } from '../src/tools/toolbox.ts'
import type { Runner } from '../src/turns/runner.ts'

export const ZONE = 'Europe/Berlin'
const SLOTS = 512

export const OPERATOR: Caller = { principal: 'operator', label: 'bench', scopes: new Set(['operator.admin']) }

export interface House extends GatewayHouse {
  readonly toolbox: Toolbox
}

export function furnish(store: Store, runner: Runner): House {
  const places = locate({ SLUICE_STATE_DIR: '/nowhere' }, '/nowhere')
  const config = { agents: { defaults: { maxConcurrent: SLOTS, userTimezone: ZONE } } }
  const load = (text: string | undefined) =>
    loadSettings({
      files: { ...nodeWorld.files, readText: path => (path === places.configPath ? text : undefined) },
      ...{ env: {}, places, portOverride: 0, systemZone: ZONE, isMethod: isMethodName },
    })
  const house = furnishHouse({
    ...{ store, runner, places, load, env: {}, binFolder: '/nowhere', world: nodeWorld },
    settings: load(JSON.stringify(config)),
    log: (level, message, fields) => {
      if (level !== 'info') console.error(level, message, fields)
    },
    restart: () => {
      throw new Error('nothing restarts in a bench')
    },
  })
  house.parts.scheduler.start()
  return { ...house, toolbox: new Toolbox([cronTool, ...SESSION_TOOLS], { allow: undefined, deny: [] }) }
}
