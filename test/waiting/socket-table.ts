// The kernel's own table of TCP connections, and whose they are: the one witness of who dials whom that no code of ours
// can fool. Linux only, like the gateway's tests on processes.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** From `include/net/tcp_states.h`. */
const LISTEN = '0A'

export interface TcpRow {
  readonly localPort: number
  readonly remotePort: number
  readonly listens: boolean
  /** 0 for what no process holds any longer, such as a connection in TIME_WAIT. */
  readonly inode: number
}

/** All TCP sockets of this machine, or of the network that a process is in; those that were just closed among them. */
export function tcpTable(pid: number | 'self' = 'self'): TcpRow[] {
  return [`/proc/${pid}/net/tcp`, `/proc/${pid}/net/tcp6`].flatMap(rowsOf)
}

function rowsOf(path: string): TcpRow[] {
  return linesOf(path).map(line => {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
    const [, local = '', remote = '', state, , , , , , inode] = line.trim().split(/\s+/)
    return { localPort: portOf(local), remotePort: portOf(remote), listens: state === LISTEN, inode: Number(inode) }
  })
}

/** Without the heading; none where this machine has no such table. */
function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').slice(1)
  } catch {
    return []
  }
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16)
}

/** The sockets that a process holds open, all its threads' among them. */
export function socketsOf(pid: number): Set<number> {
  const folder = `/proc/${pid}/fd`
  return new Set(
    readdirSync(folder).flatMap(fd => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${fd}`))?.[1]
      return inode === undefined ? [] : [Number(inode)]
    }),
  )
}

/** Empty for a descriptor that was closed while we looked. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Connections of a process both of whose ends are its own, by their ports. */
export function selfConnections(pid: number): string[] {
  const own = socketsOf(pid)
  const rows = tcpTable(pid).filter(row => own.has(row.inode) && !row.listens)
  const ends = new Set(rows.map(row => `${row.localPort}>${row.remotePort}`))
  return [...ends].filter(end => ends.has(end.split('>').reverse().join('>')))
}

/** Ports at the other end of all connections to a port, whoever holds them, and of those that have just ended. */
export function dialedFrom(port: number, pid?: number): Set<number> {
  // Of one that has ended, only the end that closed first is remembered.
  const ends = tcpTable(pid).flatMap(({ localPort, remotePort, listens }) => {
    if (listens) return []
    return remotePort === port ? [localPort] : localPort === port ? [remotePort] : []
  })
  return new Set(ends)
}
