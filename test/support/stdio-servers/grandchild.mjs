// As `npx` does: the server is a process of its own below this one, and does not end with it.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const server = fileURLToPath(new URL('never-exits.mjs', import.meta.url))
spawn(process.execPath, [server], { stdio: 'inherit' })
setInterval(() => {}, 1_000)
