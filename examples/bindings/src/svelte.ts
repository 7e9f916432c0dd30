/** Svelte: a store of `atomik/store` is a Svelte store as it stands, so `$parts` reads it and follows it. */
import { mount, unmount } from 'svelte'
import Parts from './Parts.svelte'

export function start(target: HTMLElement): () => void {
  const component = mount(Parts, { target })
  return () => void unmount(component)
}
