// Makes a fresh clone ready to run: installs when package-lock.json is newer than what is installed, and builds.
// Uses nothing but Node, because it runs before node_modules exists.
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const modified = (file) => statSync(`${root}/${file}`, { throwIfNoEntry: false })?.mtimeMs ?? 0
const run = (command, args) =>
  execFileSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })

if (modified('node_modules/.package-lock.json') < modified('package-lock.json')) {
  console.error('Installing dependencies…')
  run('npm', ['ci', '--no-audit', '--no-fund'])
}
if (!process.argv.includes('--install-only'))
  run(process.execPath, ['node_modules/typescript/bin/tsc'])
