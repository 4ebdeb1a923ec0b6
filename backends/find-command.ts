/** Finds a program as a shell would, so that a misspelt command is named instead of failing inside `setsid`. */
import { access, constants } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'

/** The program's path, or `undefined` where there is none that may be run. */
export async function findCommand(
  command: string,
  cwd: string = process.cwd(),
  path: string = process.env['PATH'] ?? '',
): Promise<string | undefined> {
  // Windows resolves names through PATHEXT and shims; cross-spawn inside the SDK does that.
  if (process.platform === 'win32') return command
  const candidates =
    isAbsolute(command) || command.includes('/')
      ? [resolve(cwd, command)]
      : path.split(delimiter).map((folder) => join(folder, command))
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK)
      return candidate
    } catch {
      // Not there, or not ours to run: the next folder may have it.
    }
  }
  return undefined
}
