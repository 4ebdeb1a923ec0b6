/** `mcp-junction validate`: every problem of a configuration at once, and what can hardly be meant; nothing is started. */
import { loadConfig } from '../config/load.js'
import { problemLine } from '../config/problems.js'
import { findConfig } from './find-config.js'

/** @throws ConfigError with all problems */
export async function validate(path: string | undefined): Promise<number> {
  const file = findConfig(path)
  const { targets, selectors, resources, warnings } = await loadConfig(file)
  const counts = [
    [new Set(targets.map((it) => it.name)).size, 'target'],
    [selectors.length, 'selector'],
    [resources.length, 'Backend resource'],
    [warnings.length, 'warning'],
  ] as const
  const [always, ...others] = counts.map(([count, what]) => ({
    count,
    text: `${count} ${what}${count === 1 ? '' : 's'}`,
  }))
  const told = [always?.text, ...others.filter((it) => it.count > 0).map((it) => it.text)]
  for (const warning of warnings) {
    process.stderr.write(`${problemLine({ ...warning, message: `warning: ${warning.message}` })}\n`)
  }
  process.stdout.write(`${file}: fine, ${told.join(', ')}\n`)
  return 0
}
