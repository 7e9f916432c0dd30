/** No framework: stores call back when what they select has changed, and the page does as little as that asks for. */
import { connect } from 'atomik'
import { indexedDb } from 'atomik/storage/indexeddb'
import { rowStore, statusStore, tableStore } from 'atomik/store'
import { tables } from './schema.ts'

// Kept in the browser: it opens without a hub, and what was changed meanwhile is not lost with the tab.
const space = await connect(`ws://${location.host}/machines`, { tables, storage: indexedDb() })
/** Own changes, for undo. */
const own: number[] = []

function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]>,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children)
  return element
}

const status = make('span', { role: 'status' })
const undo = make('button', { type: 'button', disabled: true, textContent: 'Undo' })
const list = make('ul', {})
const added = make('input', { ariaLabel: 'Name of a new machine', placeholder: 'another machine' })
const form = make('form', {}, added, make('button', { type: 'submit', textContent: 'Add' }))
document
  .getElementById('app')
  ?.append(make('header', {}, make('h1', { textContent: 'Machines' }), status, undo), list, form)

function did(change: number): void {
  own.push(change)
  undo.disabled = false
}
undo.onclick = () => {
  const change = own.pop()
  if (change !== undefined) space.undo(change)
  undo.disabled = own.length === 0
}
form.onsubmit = event => {
  event.preventDefault()
  if (added.value.trim() !== '') did(space.machines.row(added.value.trim()).parts.add(0))
  added.value = ''
}

statusStore(space, ({ live, pending }) =>
  live ? (pending === 0 ? 'saved' : `${pending} on the way`) : 'no hub',
).subscribe(text => {
  status.textContent = text
})

/** One line of the list; each of its parts follows one field. Returns the element, and the way to stop. */
function line(name: string): { readonly element: HTMLLIElement; readonly stop: () => void } {
  const row = space.machines.row(name)
  const running = make('input', { type: 'checkbox' })
  const parts = make('output', {})
  const more = make('button', { type: 'button', textContent: '+1', ariaLabel: `One more part of ${name}` })
  const note = make('input', { ariaLabel: `Note on ${name}`, placeholder: 'note' })
  running.onchange = () => did(row.running.set(running.checked))
  more.onclick = () => did(row.parts.add(1))
  note.onchange = () => did(row.note.set(note.value))
  const follow = [
    rowStore(space.machines, name, each => each.running.value).subscribe(on => {
      running.checked = on
    }),
    rowStore(space.machines, name, each => each.parts.value).subscribe(count => {
      parts.textContent = String(count)
    }),
    rowStore(space.machines, name, each => each.note.value).subscribe(text => {
      note.value = text
    }),
  ]
  const element = make(
    'li',
    {},
    make('b', { textContent: name }),
    make('label', {}, running, ' runs'),
    make('span', { className: 'parts' }, parts, more),
    note,
  )
  element.setAttribute('data-machine', name)
  const stop = () => {
    for (const end of follow) end()
  }
  return { element, stop }
}

const lines = new Map<string, ReturnType<typeof line>>()
tableStore(space.machines, rows => rows.map(row => row.key).sort()).subscribe(names => {
  for (const [name, { element, stop }] of lines) {
    if (names.includes(name)) continue
    stop()
    element.remove()
    lines.delete(name)
  }
  for (const [place, name] of names.entries()) {
    const known = lines.get(name) ?? line(name)
    lines.set(name, known)
    if (list.children[place] !== known.element) list.insertBefore(known.element, list.children[place] ?? null)
  }
})
