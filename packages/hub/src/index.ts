/** The hub as a library. */
export { type Access, listAccess, openAccess, type Principal, tokenAccess } from './access.ts'
export { Hub, type HubOptions } from './hub.ts'
