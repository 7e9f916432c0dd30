/** What happens when: events by virtual time, those of one moment in the order they were planned. A binary heap. */
interface Entry {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class EventQueue {
  nowMs = 0
  readonly #heap: Entry[] = []
  #order = 0

  get length(): number {
    return this.#heap.length
  }

  /** Plans `run` for `delayMs` from now. */
  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run)
  }

  at(atMs: number, run: () => void): void {
    const entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run }
    const heap = this.#heap
    let i = heap.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (isBefore(heap[parent], entry)) break
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = entry
  }

  /** Runs the next event and moves the clock to it. False when there is none. */
  step(): boolean {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined) return false
    if (heap.length > 0) {
      let i = 0
      while (true) {
        let child = 2 * i + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
        if (isBefore(last, heap[child])) break
        heap[i] = heap[child]
        i = child
      }
      heap[i] = last
    }
    this.nowMs = first.atMs
    first.run()
    return true
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
