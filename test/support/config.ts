/** Configurations in real files of a folder of their own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../src/config/load.js'
import { ConfigError } from '../../src/config/problems.js'
import type { Config } from '../../src/config/schema.js'

export interface Folder extends AsyncDisposable {
  readonly path: string
}

/** A folder of files by their names, gone when its user is. */
export async function folderOf(files: Readonly<Record<string, string>>): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'mcp-junction-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

/** Loads a single file of this text. */
export async function load(text: string, env: NodeJS.ProcessEnv = {}): Promise<Config> {
  await using folder = await folderOf({ 'junction.yaml': text })
  return await loadConfig(join(folder.path, 'junction.yaml'), env)
}

/** What is wrong with a single file of this text, as `line:column path: message`. */
export async function problemsOf(text: string, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  await using folder = await folderOf({ 'junction.yaml': text })
  const file = join(folder.path, 'junction.yaml')
  const { message } = await rejectionOf(loadConfig(file, env))
  return message.split('\n').map((line) => line.replace(/^.*?junction\.yaml:\s?/, ''))
}

/** The error of a configuration that must not load. */
export async function rejectionOf(loading: Promise<Config>): Promise<ConfigError> {
  const outcome = await loading.catch((error: unknown) => error)
  if (outcome instanceof ConfigError) return outcome
  throw new Error('expected a ConfigError', { cause: outcome })
}
