// Randomness for the simulator: everything that chance decides comes from a seed, and each question asks a generator of
// its own name, so that one more draw in one place does not change what happens in all others.

/** A small generator (sfc32) seeded by a string. The same name always says the same. */
export class Prng {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(name: string) {
    let hash = 0x81_1c_9d_c5
    const word = () => {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c_1b_3c_6d)
      hash = Math.imul(hash ^ (hash >>> 12), 0x29_7a_2d_39)
      return (hash ^ (hash >>> 15)) >>> 0
    }
    for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01_00_01_93)
    this.#a = word()
    this.#b = word()
    this.#c = word()
    for (let round = 0; round < 12; round += 1) this.next()
  }

  /** At least 0, below 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return (sum >>> 0) / 0x1_00_00_00_00
  }

  /** A whole number, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T
  }

  /** Milliseconds between the two, short ones as likely as long ones. */
  span(minMs: number, maxMs: number): number {
    return Math.round(Math.exp(Math.log(minMs) + this.next() * (Math.log(maxMs) - Math.log(minMs))))
  }

  /** One name, each as likely as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][]
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return (entries.at(-1) as [K, number])[0]
  }
}
