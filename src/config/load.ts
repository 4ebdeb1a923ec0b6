/** The configuration from its files: read, put together, substituted and checked, with everything that is wrong told at once. */
import { readConfigFiles, wholeFile } from './files.js'
import { parseDocuments } from './documents.js'
import { reportDuplicateTargets } from './duplicates.js'
import { reportIssues } from './issues.js'
import { lockFileOf, readApprovals } from './lock-file.js'
import { mergeDocuments } from './merge.js'
import { messageOf } from './messages.js'
import { Problems } from './problems.js'
import { resolvePath } from './relative-paths.js'
import { isOfConcern, isResource, readResources } from './resources.js'
import type { Config } from './schema.js'
import { configJsonSchema, configSchema } from './schema.js'
import { substitute } from './substitute.js'
import { mapScalars, plainValue } from './tree.js'
import { warningsOf } from './warnings.js'

/**
 * Loads a file, or all `*.yaml`, `*.yml` and `*.json` of a directory as one.
 * @throws ConfigError with every problem, each with its place
 */
export async function loadConfig(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Config> {
  const problems = new Problems()
  const files = await readConfigFiles(path, problems)
  const documents = files.flatMap((file) => parseDocuments(file, problems))
  const sections = documents.filter((it) => !isResource(it))
  const written = mergeDocuments(sections, wholeFile(path), problems)
  const substituted = new Set<string>()
  const root = await mapScalars(written, async (scalar, at) =>
    resolvePath(await substitute(scalar, env, problems, substituted), at),
  )
  reportDuplicateTargets(root, problems)
  const resources = await Promise.all(
    documents
      .filter(isOfConcern)
      .map((document) =>
        mapScalars(document, (scalar) => substitute(scalar, env, problems, substituted)),
      ),
  )
  const read = readResources(resources, problems)
  const approvals = await readApprovals(await lockFileOf(path), problems)
  const result = configSchema.safeParse(plainValue(root), { error: messageOf })
  if (!result.success) reportIssues(result.error.issues, root, configJsonSchema(), problems)
  if (!result.success || problems.any) throw problems.toError()
  const config = { ...result.data, resources: read, approvals, substituted: [...substituted] }
  return { ...config, warnings: warningsOf(config, root) }
}
