// The tools there are, as the config has them now, and those of each agent's turns. A run that is a job's command has one
// tool that no model has. What a tool does is its own; here is only whose it is.
import type { World } from '../base/world.ts'
import { workspaceFor } from '../config/agents.ts'
import type { Settings } from '../config/load.ts'
import type { Env, Places } from '../config/locate.ts'
import { taskDepth } from '../sessions/session-key.ts'
import { cronTool } from '../tools/cron-tool.ts'
import { commandTool, type ExecOptions, execTool } from '../tools/exec.ts'
import { gatewayTool } from '../tools/gateway-tool.ts'
import { SESSION_TOOLS } from '../tools/session-tools.ts'
import type { Tool } from '../tools/tool.ts'
import { Toolbox } from '../tools/toolbox.ts'
import { webFetchTool } from '../tools/web-fetch.ts'
import type { TurnSettings } from '../turns/engine-parts.ts'

export interface ToolPlace {
  readonly world: Pick<World, 'clock' | 'processes' | 'publicGet'>
  readonly places: Places
  /** The gateway's own; little of it is handed on. */
  readonly env: Env
  /** The folder of our own command. */
  readonly binFolder: string
  /** Of this gateway; empty before it listens. */
  readonly port: () => string
  /** Those that hold when a tool is used. */
  readonly settings: () => Settings
}

type ToolboxFor = TurnSettings['toolboxFor']

/** Answers, for the settings that hold from now on, whose turns have which tools; some the config switches on. */
export function toolMaker(place: ToolPlace): (next: Settings) => ToolboxFor {
  const { world, port } = place
  let present: ReturnType<typeof toolboxes>
  const options = execOptions(place, agentId => whyNoCommand(place.settings(), present(agentId).own))
  const [exec, command] = [execTool(options), commandTool(options)]
  const webFetch = webFetchTool({ get: world.publicGet, clock: world.clock, gatewayPort: () => Number(port()) })
  return next => {
    const tools = [
      ...[cronTool, ...SESSION_TOOLS, gatewayTool],
      ...(next.exec.security === 'deny' ? [] : [exec]),
      ...(next.webFetch ? [webFetch] : []),
    ]
    const boxesOf = toolboxes(next, tools, command)
    present = boxesOf
    return ({ agentId, sessionKey, rules }) => {
      const boxes = boxesOf(agentId)
      // What its process asks of the gateway it may as far as any turn of the agent.
      if (rules?.command) return boxes.ofCommands()
      const box = taskDepth(sessionKey) > 0 ? boxes.ofTasks : boxes.own
      return rules?.tools ? box.only(rules.tools) : box
    }
  }
}

function execOptions(
  { world, places, env, binFolder, port, settings }: ToolPlace,
  whyNoJobCommand: ExecOptions['whyNoJobCommand'],
): ExecOptions {
  return {
    ...{ processes: world.processes, clock: world.clock, env, binFolder, whyNoJobCommand },
    policy: agentId => {
      const { agents, exec } = settings()
      const own = agents.find(({ id }) => id === agentId)?.workspace
      return { ...exec, cwd: own ?? exec.cwd ?? workspaceFor(settings(), agentId) }
    },
    wayBack: () => ({
      SLUICE_STATE_DIR: places.stateDir,
      SLUICE_CONFIG_PATH: places.configPath,
      SLUICE_GATEWAY_PORT: port(),
    }),
  }
}

/** Why jobs may run no command; `box` are the tools of their agent's turns: who may run none there has no job that may. */
export function whyNoCommand({ jobCommands }: Pick<Settings, 'jobCommands'>, box: Toolbox): string | undefined {
  if (jobCommands === 'off')
    return 'cron.commands is off; with "operator" the jobs that an operator makes may run commands'
  if (box.has('exec')) return undefined
  return 'the agent has no exec tool (tools.exec.security, tools.allow, tools.deny), and its jobs may run no more than it'
}

interface Toolboxes {
  readonly own: Toolbox
  readonly ofTasks: Toolbox
  readonly ofCommands: () => Toolbox
}

/** The tools of each agent's turns: those that all have, as far as its own policy leaves them. */
function toolboxes({ agents, toolPolicy, subagents }: Settings, tools: readonly Tool[], command: Tool) {
  const made = new Map<string, Toolboxes>()
  return (agentId: string) => {
    const known = made.get(agentId)
    if (known) return known
    const policy = agents.find(({ id }) => id === agentId)?.tools
    const left = tools.filter(({ name }) => policy?.allow?.includes(name) ?? true)
    const { allow } = toolPolicy
    const deny = [...toolPolicy.deny, ...(policy?.deny ?? [])]
    const own = new Toolbox(left, { allow, deny })
    let withCommand: Toolbox | undefined
    const boxes = {
      own,
      ofCommands: () => {
        withCommand ??= own.and(command)
        return withCommand
      },
      ofTasks: new Toolbox(left, { allow, deny: [...deny, ...subagents.deny] }),
    }
    made.set(agentId, boxes)
    return boxes
  }
}
