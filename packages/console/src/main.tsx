/** Entry: one model of the hub for the page's life, and the view over it. A token goes into the address: `#token=…`. */
import { render } from 'preact'
import { App } from './app.tsx'
import { LiveHub } from './live/live-hub.ts'
import './style.css'

const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined
const hub = new LiveHub(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`, token)
const root = document.getElementById('app')
addEventListener('hashchange', () => location.reload())
if (root !== null) render(<App hub={hub} />, root)
