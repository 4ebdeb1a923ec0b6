/** Which configuration a command works on. */
import { existsSync } from 'node:fs'
import { UsageError } from './usage.js'

const DEFAULT_FILES = ['junction.yaml', 'junction.json']

/** @throws UsageError where none is named and none lies here */
export function findConfig(named: string | undefined): string {
  const found = named ?? DEFAULT_FILES.find((file) => existsSync(file))
  if (found !== undefined) return found
  throw new UsageError(
    `There is no configuration: neither --config nor ${DEFAULT_FILES.join(' or ')} here. To begin, write junction.yaml:

  targets:
    - name: everything
      stdio: { command: npx, args: [-y, "@modelcontextprotocol/server-everything"] }`,
  )
}
