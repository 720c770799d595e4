// The `gateway` tool: the gateway's own config and restart, under the name and shape that agents know. It takes no address
// and no token (W1), and tells the model what becomes of its turn, so that a restart is asked for once.
import * as z from 'zod'
import { SluiceError } from '../base/errors.ts'
import { type ToolContext, tool } from './tool.ts'

const parameters = z.object({
  action: z.enum(['restart', 'config.get', 'config.patch']),
  delayMs: z.number().int().min(0).max(60_000).optional().describe('For restart.'),
  reason: z.string().max(300).optional().describe('For restart: why, in a few words.'),
  raw: z
    .string()
    .optional()
    .describe('For config.patch: a JSON5 object that is merged into the config; null deletes a key.'),
  baseHash: z
    .string()
    .optional()
    .describe('For config.patch: the hash that config.get answered; default: the present one.'),
  note: z.string().max(300).optional().describe('For config.patch: why, in a few words.'),
  restartDelayMs: z.number().int().min(0).max(60_000).optional(),
})

export const gatewayTool = tool({
  name: 'gateway',
  description:
    'The gateway you run in: restart it, show its config (config.get) or change it (config.patch). Most changes hold at once; those that need a restart schedule it. After a restart this turn goes on by itself.',
  parameters,
  // The methods keep what they began and answered under the call's key.
  replay: 'safe',
  run: runGatewayTool,
})

async function runGatewayTool(args: z.output<typeof parameters>, { call }: ToolContext): Promise<unknown> {
  const { action, delayMs, reason, raw, note, restartDelayMs } = args
  switch (action) {
    case 'config.get':
      return await call('config.get', {})
    case 'restart': {
      const restart = await call('gateway.restart', {
        ...(delayMs !== undefined && { delayMs }),
        ...(reason && { reason }),
      })
      return { ...restart, message: restartMessage(restart.delayMs) }
    }
    case 'config.patch': {
      if (raw === undefined) throw new SluiceError('INVALID_REQUEST', 'gateway config.patch needs "raw"')
      const baseHash = args.baseHash ?? (await call('config.get', {})).hash
      const patched = await call('config.patch', {
        raw,
        baseHash,
        ...(note && { note }),
        ...(restartDelayMs !== undefined && { restartDelayMs }),
      })
      return {
        ...patched,
        message: patched.restart ? restartMessage(patched.restart.delayMs) : 'It holds from now on.',
      }
    }
  }
}

function restartMessage(delayMs: number): string {
  return `The gateway restarts in ${delayMs} ms. This turn goes on afterwards by itself, from here: do not ask for the restart again.`
}
