// Installs the official suite, and the Node it needs, in a folder of their own: neither belongs to the project.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('tools', import.meta.url))
const conformance = `${folder}/node_modules/@modelcontextprotocol/conformance/dist/index.js`
// The suite calls `fs.globSync`, which Node has from 22 on.
const needsNode = Number(process.versions.node.split('.')[0]) < 22
const suffix = process.platform === 'win32' ? '.exe' : ''
const node = needsNode ? `${folder}/node_modules/node/bin/node${suffix}` : process.execPath

const MANIFEST = {
  private: true,
  dependencies: {
    '@modelcontextprotocol/conformance': '0.2.0-alpha.12',
    ...(needsNode ? { node: '24.21.0' } : {}),
  },
}

/** Installs when something is missing or another version is wanted. Gives the paths of both programs. */
export async function installTools() {
  const manifest = JSON.stringify(MANIFEST)
  const installed = await readFile(`${folder}/package.json`, 'utf8').catch(() => '')
  // npm rewrites the file when it installs, in its own layout.
  const isWanted = installed !== '' && JSON.stringify(JSON.parse(installed)) === manifest
  if (!isWanted || !existsSync(conformance) || !existsSync(node)) {
    console.error('Installing the conformance suite…')
    await mkdir(folder, { recursive: true })
    await writeFile(`${folder}/package.json`, manifest)
    // The suite's packages want the Node that comes with them, not the one that installs them.
    const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--engine-strict=false']
    const npm = spawn('npm', args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    })
    const [code] = await once(npm, 'exit')
    if (code !== 0) throw new Error(`npm install exited with ${code}`)
  }
  return { conformance, node }
}
