/**
 * A queue in a ring: what is put in at one end and taken out at the other leaves no garbage, however long it goes on. Arrays
 * that are shifted are copied again and again.
 */
export class Queue<T> implements Iterable<T> {
  /** A power of two of places; those not in use are undefined. */
  #ring: (T | undefined)[] = [undefined, undefined, undefined, undefined]
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The item at this index, from the end when it is negative; undefined beyond the ends. */
  at(index: number): T | undefined {
    const i = index < 0 ? this.#length + index : index
    return i >= 0 && i < this.#length ? this.#ring[(this.#first + i) & (this.#ring.length - 1)] : undefined
  }

  push(item: T): void {
    if (this.#length === this.#ring.length) {
      const ring: (T | undefined)[] = [...this]
      for (let i = this.#length; i > 0; i--) ring.push(undefined)
      this.#ring = ring
      this.#first = 0
    }
    this.#ring[(this.#first + this.#length) & (this.#ring.length - 1)] = item
    this.#length++
  }

  /** Takes the first item out. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#ring[this.#first]
    this.#ring[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#length--
    return item
  }

  /** Takes out all items from this index on. */
  takeFrom(index: number): T[] {
    const taken = [...this].slice(index)
    for (; this.#length > index; this.#length--)
      this.#ring[(this.#first + this.#length - 1) & (this.#ring.length - 1)] = undefined
    return taken
  }

  /** Takes the first `count` items out. */
  takeFirst(count: number): T[] {
    const taken: T[] = []
    while (taken.length < count) {
      const item = this.shift()
      if (item === undefined) break
      taken.push(item)
    }
    return taken
  }

  /** Index of the first item for which this holds, or −1. */
  findIndex(holds: (item: T) => boolean): number {
    let index = 0
    for (const item of this) {
      if (holds(item)) return index
      index++
    }
    return -1
  }

  clear(): void {
    this.takeFirst(this.#length)
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.#length; i++) {
      const item = this.at(i)
      if (item !== undefined) yield item
    }
  }
}
