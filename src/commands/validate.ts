/** `mcp-junction validate`: every problem of a configuration at once; nothing is started. */
import { loadConfig } from '../config/load.js'
import { findConfig } from './find-config.js'

/** @throws ConfigError with all problems */
export async function validate(path: string | undefined): Promise<number> {
  const file = findConfig(path)
  const { targets } = await loadConfig(file)
  process.stdout.write(
    `${file}: fine, ${targets.length} target${targets.length === 1 ? '' : 's'}\n`,
  )
  return 0
}
