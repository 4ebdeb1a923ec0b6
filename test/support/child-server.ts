/** The servers of `stdio-servers`, as targets start them. */
import { fileURLToPath } from 'node:url'
import type { JsonObject } from '../../backends/index.js'

/** What belongs under `stdio`. */
export function childServer(name: string): JsonObject {
  const program = new URL(`stdio-servers/${name}.mjs`, import.meta.url)
  return { command: process.execPath, args: [fileURLToPath(program)] }
}
