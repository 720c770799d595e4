// The network addresses of this machine, and its name.
import { hostname, networkInterfaces } from 'node:os'

export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(all => (all ?? []).map(({ address }) => address))
}

export function ownName(): string {
  return hostname()
}
