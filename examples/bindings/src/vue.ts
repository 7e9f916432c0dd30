/** Vue: a shallow reference that follows a store, and stops with the component that made it. */
import { createApp, defineComponent, h, onScopeDispose, type ShallowRef, shallowRef } from '@vue/runtime-dom'
import type { Store } from 'atomik/store'
import { parts, shown } from './machines.ts'

export function useStore<Value>(store: Store<Value>): Readonly<ShallowRef<Value>> {
  const value = shallowRef(store.get())
  onScopeDispose(
    store.subscribe(now => {
      value.value = now
    }),
  )
  return value
}

const Parts = defineComponent(() => {
  const made = useStore(parts)
  return () => h('output', shown(made.value))
})

export function start(target: HTMLElement): () => void {
  const app = createApp(Parts)
  app.mount(target)
  return () => app.unmount()
}
