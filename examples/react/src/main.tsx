/** The space is opened once, outside of components; hooks select from it. */
import { connect } from 'atomik'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Machines } from './machines.tsx'
import { tables } from './schema.ts'

const space = await connect(`ws://${location.host}/machines`, { tables })
const root = document.getElementById('app')
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <Machines space={space} />
    </StrictMode>,
  )
