/** Solid: `from` makes a signal of a store. With JSX the component is `<output>{shown(made())}</output>`. */
import { createRenderEffect, from } from 'solid-js'
import { render } from 'solid-js/web'
import { parts, shown } from './machines.ts'

function Parts(): HTMLElement {
  const made = from(parts, parts.get())
  const output = document.createElement('output')
  createRenderEffect(() => {
    output.textContent = shown(made())
  })
  return output
}

export function start(target: HTMLElement): () => void {
  return render(Parts, target)
}
