/** Entry. A hub serves this page, or any web server does: the file `healthz` tells which, for a hub answers by itself. */
import { render } from 'preact'
import { App } from './app.tsx'
import { readRoute } from './shell/route.ts'
import './style.css'

const hubOrigin = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`

async function isServedByHub(): Promise<boolean> {
  try {
    const response = await fetch('./healthz')
    return response.ok && (await response.text()).trim() === 'ok'
  } catch {
    return false
  }
}

let { token } = readRoute(location.hash)
addEventListener('hashchange', () => {
  // Connections were made with the old token: begin anew.
  const now = readRoute(location.hash).token
  if (now !== token) location.reload()
  token = now
})
const root = document.getElementById('app')
if (root !== null) render(<App origin={(await isServedByHub()) ? hubOrigin : undefined} />, root)
