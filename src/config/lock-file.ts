/** `junction.lock.json` beside the configuration: the definitions of tools that somebody approved. */
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Approvals } from '../../federation/index.js'
import { parseDocuments } from './documents.js'
import { LOCK_FILE, fileFailure, wholeFile } from './files.js'
import { reportIssues } from './issues.js'
import { messageOf } from './messages.js'
import type { Problems } from './problems.js'
import { plainValue } from './tree.js'

const lockSchema = z.strictObject({
  version: z.literal(1),
  targets: z.record(
    z.string(),
    z.record(z.string(), z.string().regex(/^sha256-/, 'expected a fingerprint, "sha256-…"')),
  ),
})

/** Of a configuration that is a file, or a directory. */
export async function lockFileOf(configPath: string): Promise<string> {
  const isDirectory = await stat(configPath).then(
    (it) => it.isDirectory(),
    () => false,
  )
  return join(isDirectory ? configPath : dirname(configPath), LOCK_FILE)
}

/** Nothing is approved where there is no such file. What is wrong with one is added to `problems`. */
export async function readApprovals(path: string, problems: Problems): Promise<Approvals> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    problems.add(wholeFile(path), `cannot be read: ${fileFailure(error)}`)
    return {}
  }
  const [document] = parseDocuments({ path, text }, problems)
  if (document === undefined) return {}
  const result = lockSchema.safeParse(plainValue(document), { error: messageOf })
  if (result.success) return result.data.targets
  reportIssues(result.error.issues, document, {}, problems)
  return {}
}

/**
 * In one step, since running gateways read it as it changes; in order of names, since people compare it.
 * @throws where it cannot be written whole; the old one is as it was
 */
export async function writeApprovals(path: string, approvals: Approvals): Promise<void> {
  const targets = sorted(
    Object.entries(approvals).map(([name, tools]) => [name, sorted(Object.entries(tools))]),
  )
  const temporary = `${path}.${process.pid}`
  try {
    await writeDurably(temporary, `${JSON.stringify({ version: 1, targets }, undefined, 2)}\n`)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    const state = `${path} cannot be written, and is as it was: ${fileFailure(error)}`
    throw new Error(state, { cause: error })
  }
}

/** Some file systems find out late that they are full: what stands there has to be on the disk before it counts. */
async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

function sorted<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
