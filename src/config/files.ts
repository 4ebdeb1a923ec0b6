/** Which files make the configuration, and their text. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place, Problems } from './problems.js'

export interface ConfigFile {
  readonly path: string
  readonly text: string
}

/** Beside the configuration, and no part of what people write there. */
export const LOCK_FILE = 'junction.lock.json'

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'no space left for this user',
  EROFS: 'the file system is read-only',
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
}

/** The file itself; of a directory, its `*.yaml`, `*.yml` and `*.json` in the order of their names, but for the lock file. */
export async function readConfigFiles(path: string, problems: Problems): Promise<ConfigFile[]> {
  const files: ConfigFile[] = []
  const paths = await configPaths(path)
  if (paths.length === 0) problems.add(wholeFile(path), 'no *.yaml, *.yml or *.json file in it')
  for (const file of paths) {
    try {
      files.push({ path: file, text: await readFile(file, 'utf8') })
    } catch (error) {
      problems.add(wholeFile(file), `cannot be read: ${fileFailure(error)}`)
    }
  }
  return files
}

/** Why a file cannot be read or written. */
export function fileFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
  return REASONS[code] ?? code
}

export function wholeFile(file: string): Place {
  return { file, line: 0, column: 0, path: '' }
}

async function configPaths(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined)
  // Not a directory, or one that cannot be read: reading it as a file tells which.
  if (entries === undefined) return [path]
  return (
    entries
      // Links are followed: a mounted ConfigMap is made of them, and of directories with a leading dot.
      .filter(
        (entry) =>
          !entry.isDirectory() &&
          entry.name !== LOCK_FILE &&
          /^[^.].*\.(ya?ml|json)$/.test(entry.name),
      )
      .map((entry) => join(path, entry.name))
      .toSorted()
  )
}
