// Sockets that have not shown who they are: so few for each address, and so few in all, that none of them can fill the
// memory. One more ends the oldest of its address: who means it needs milliseconds, who only holds places loses them.
// The address here is the socket's own: nothing was read yet that could name another.
import type { Socket } from 'node:net'

/** Of one address at once. */
export const UNPROVEN_OF_ADDRESS_MAX = 256
export const UNPROVEN_MAX = 1_024

interface Place {
  readonly socket: Socket
  /** Kept, as a socket that has ended does not know it any more. */
  readonly address: string
}

export class Unproven {
  readonly #places = new Map<string, Place>()
  readonly #ofAddress = new Map<string, Set<string>>()

  /** Takes it up until it is proven or closed. */
  add(socket: Socket): void {
    const name = nameOf(socket)
    const { remoteAddress: address = '' } = socket
    // A port can be another's before the end of the one that had it is told here.
    this.#forget(name)
    const others = this.#ofAddress.get(address)
    if (others && others.size >= UNPROVEN_OF_ADDRESS_MAX) this.#end(first(others))
    if (this.#places.size >= UNPROVEN_MAX) this.#end(first(this.#places.keys()))
    const place = { socket, address }
    this.#places.set(name, place)
    this.#ofAddress.set(address, (this.#ofAddress.get(address) ?? new Set()).add(name))
    socket.once('close', () => {
      if (this.#places.get(name) === place) this.#forget(name)
    })
  }

  /** By what carries its frames, which over TLS is another object than the one that was added. */
  prove(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): void {
    this.#forget(nameOf(socket))
  }

  #end(name: string | undefined): void {
    if (name === undefined) return
    const place = this.#places.get(name)
    this.#forget(name)
    place?.socket.destroy()
  }

  #forget(name: string): void {
    const { address } = this.#places.get(name) ?? {}
    if (address === undefined) return
    this.#places.delete(name)
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
