import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['test/**/*.test.ts'],
    // Real servers and child processes on two cores: generous, and never what a test waits for.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
