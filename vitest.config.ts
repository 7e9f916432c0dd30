import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*.test.ts', 'tools/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 30_000,
    // Two cores: the processes of the end-to-end tests want one of them.
    maxWorkers: 2,
  },
  resolve: { conditions: ['node'] },
})
