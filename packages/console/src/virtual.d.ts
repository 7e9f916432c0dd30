declare module 'virtual:map' {
  const map: import('./flights/map-data.ts').MapData
  export default map
}
declare module '*.css'
