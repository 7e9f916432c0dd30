import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { mapPlugin } from './build/map.ts'

const built = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// Built by `tsc -b` before. Named by path, so that the page is made of the packages beside it and of no others.
export default defineConfig({
  base: './',
  plugins: [mapPlugin()],
  resolve: {
    alias: {
      '@atomik/flights/regions': built('../flights/dist/regions.js'),
      '@atomik/flights/schema': built('../flights/dist/schema.js'),
      '@atomik/hub/space-host': built('../hub/dist/space-host.js'),
      '@atomik/simulator': built('../simulator/dist/index.js'),
      'atomik/adapters': built('../atomik/dist/adapters/index.js'),
      'atomik/algebra': built('../atomik/dist/algebra/index.js'),
      'atomik/engine': built('../atomik/dist/engine/index.js'),
      'atomik/schema': built('../atomik/dist/schema/index.js'),
      'atomik/wire': built('../atomik/dist/wire/index.js'),
      atomik: built('../atomik/dist/index.js'),
    },
  },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // What a view brings along: budget.test.ts counts it.
    manifest: 'assets/manifest.json',
    // Making the map takes a second or two: no news.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
})
