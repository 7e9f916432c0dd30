/** Two nodes of one mesh in this page, and a store that each framework shows: the parts that one machine has made. */
import { counter, register, table } from 'atomik'
import { MemoryTransport } from 'atomik/adapters'
import { openMesh } from 'atomik/mesh'
import { rowStore } from 'atomik/store'

const tables = { machines: table({ parts: counter(), note: register.text(24) }) }
export const here = openMesh({ space: 'machines', tables })
export const there = openMesh({ space: 'machines', tables })
here.connect(new MemoryTransport(link => there.accept(link)))

/** How often the store read its row, and how often what shows it was made again. */
export const counts = { reads: 0, renders: 0 }

export const parts = rowStore(here.machines, 'lathe', row => {
  counts.reads++
  return row.parts.value
})

/** Stands in what a framework shows, and counts. */
export function shown(value: number): string {
  counts.renders++
  return `${value} parts`
}
