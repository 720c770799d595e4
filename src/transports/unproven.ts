// Sockets that have not shown who they are: so few for each address, and so few in all, that none of them can fill the
// memory. One more ends the oldest of its address: who means it needs milliseconds, who only holds places loses them.
// The address here is the socket's own: nothing was read yet that could name another.
import type { Socket } from 'node:net'

/** Of one address at once. */
export const UNPROVEN_OF_ADDRESS_MAX = 256
export const UNPROVEN_MAX = 1_024

export class Unproven {
  readonly #sockets = new Map<string, Socket>()
  readonly #ofAddress = new Map<string, Set<string>>()

  /** Takes it up until it is proven or closed. */
  add(socket: Socket): void {
    const name = nameOf(socket)
    const { remoteAddress = '' } = socket
    const others = this.#ofAddress.get(remoteAddress) ?? new Set()
    if (others.size >= UNPROVEN_OF_ADDRESS_MAX) this.#end(first(others))
    if (this.#sockets.size >= UNPROVEN_MAX) this.#end(first(this.#sockets.keys()))
    this.#ofAddress.set(remoteAddress, others.add(name))
    this.#sockets.set(name, socket)
    socket.once('close', () => this.#forget(name, remoteAddress))
  }

  /** By what carries its frames, which over TLS is another object than the one that was added. */
  prove(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): void {
    this.#forget(nameOf(socket), socket.remoteAddress ?? '')
  }

  #end(name: string | undefined): void {
    const socket = name === undefined ? undefined : this.#sockets.get(name)
    if (name === undefined || !socket) return
    this.#forget(name, socket.remoteAddress ?? '')
    socket.destroy()
  }

  #forget(name: string, address: string): void {
    this.#sockets.delete(name)
    const others = this.#ofAddress.get(address)
    others?.delete(name)
    if (others?.size === 0) this.#ofAddress.delete(address)
  }
}

function nameOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`
}

function first<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value
  return undefined
}
