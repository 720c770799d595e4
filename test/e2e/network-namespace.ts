// A network of its own for a gateway and its CLI, with one address more than loopback. Only root can make one.
import { spawnSync } from 'node:child_process'
import type { Scope } from './gateway-process.ts'

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

const PROBE = `sluice-probe-${process.pid}`

/** Why none can be made here; undefined: it can. */
export function whyNoNamespace(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a network namespace'
  const made = run('ip', 'netns', 'add', PROBE)
  run('ip', 'netns', 'del', PROBE)
  return made ? undefined : 'network namespaces cannot be made here (ip netns)'
}

/** Answers the command that runs others in it. */
export function networkNamespace(scope: Scope, name: string, address?: string): readonly string[] {
  const full = `sluice-${name}-${process.pid}`
  const must = (...args: string[]) => {
    if (!run('ip', ...args)) throw new Error(`ip ${args.join(' ')} failed`)
  }
  must('netns', 'add', full)
  scope.onEnd(() => void run('ip', 'netns', 'del', full))
  const inside = ['netns', 'exec', full, 'ip'] as const
  must(...inside, 'link', 'set', 'lo', 'up')
  if (address !== undefined) {
    // Where the kernel has no dummy interfaces, loopback carries the address as well.
    const isDummy = run('ip', ...inside, 'link', 'add', 'tail0', 'type', 'dummy')
    const device = isDummy ? 'tail0' : 'lo'
    must(...inside, 'addr', 'add', `${address}/32`, 'dev', device)
    must(...inside, 'link', 'set', device, 'up')
  }
  return ['ip', 'netns', 'exec', full]
}
