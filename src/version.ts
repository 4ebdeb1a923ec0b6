/** The version of this package, from its one place. */
import { createRequire } from 'node:module'

// By its own name the package finds itself, from src as from dist.
const { version } = createRequire(import.meta.url)('mcp-junction/package.json') as {
  readonly version: string
}

export const VERSION = version
