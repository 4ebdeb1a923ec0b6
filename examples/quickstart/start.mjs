// What `npm start` does: runs the "remote" server of junction.yaml, which plays a server somewhere else, and the
// gateway in front of it and the rest. Arguments go to the gateway: `npm start -- --port 9000`.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const everything = here('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')

const remote = spawn(process.execPath, [everything, 'streamableHttp'], {
  env: { ...process.env, PORT: '3901' },
  stdio: ['ignore', 'ignore', 'ignore'],
})
const gateway = spawn(
  process.execPath,
  [
    here('../../dist/src/cli.js'),
    'serve',
    '--config',
    here('junction.yaml'),
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
)
// Ctrl-C reaches the gateway from the terminal too, and a second signal means haste.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => gateway.kill(signal))
process.on('exit', () => remote.kill())
gateway.on('exit', (code) => process.exit(code ?? 1))
