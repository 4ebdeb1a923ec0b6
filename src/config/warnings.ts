/** What is found in a configuration that can be loaded, and that hardly anybody means. */
import { ruleWarnings } from '../auth/rule-warnings.js'
import type { ConfigProblem } from './problems.js'
import { Problems } from './problems.js'
import type { Config } from './schema.js'
import type { ConfigNode } from './tree.js'
import { nodeAt, placeOf } from './tree.js'

export function warningsOf(config: Config, root: ConfigNode): readonly ConfigProblem[] {
  const warnings = new Problems()
  for (const { path, message, bareMessage } of ruleWarnings(
    config.authorization,
    allTargets(config),
  )) {
    const node = nodeAt(root, path)
    const isSecret = node?.kind === 'scalar' && node.substituted
    warnings.add(placeOf(root, path), isSecret ? bareMessage : message)
  }
  return warnings.all
}

/** The names of all targets, where none will be found beside them. */
function allTargets(config: Config): readonly string[] | undefined {
  const { targets, selectors, resources, kubernetes } = config
  const isAll = selectors.length === 0 && resources.length === 0 && !kubernetes.backends
  return isAll ? [...new Set(targets.map((it) => it.name))] : undefined
}
