// What `npm run example:oauth` does: an authorization server, the gateway, and the check of the whole story between
// them, on ports that the system chooses. With `--keep` all goes on afterwards, for a person with an Inspector.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const ELSEWHERE = 'https://elsewhere.example.com/mcp'
const running = new Set()

function start(program, args, env = {}) {
  const child = spawn(process.execPath, [here(program), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** The first answer of `read` to a line that the child prints. Rejects when it ends without any. */
function lineOf(child, read) {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = read(line)
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`${child.spawnargs[1]} ended with ${code}`)))
  })
}

/** The gateway's address is in its tokens and in its configuration, so it is chosen before the gateway starts. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function makeFiles() {
  const folder = await mkdtemp(join(tmpdir(), 'oauth-example-'))
  const files = join(folder, 'files')
  for (const user of ['ada', 'bob']) await mkdir(join(files, user), { recursive: true })
  await writeFile(join(files, 'hello.txt'), 'Hello from the files server.\n')
  return folder
}

/** Resolves when both servers have been asked for what they have. */
function startGateway(port, env) {
  const config = ['serve', '--config', here('junction.yaml'), '--port', String(port), '--no-watch']
  const child = start('../../dist/src/cli.js', [...config, '--log-level', 'info'], env)
  const left = new Set(['files', 'memory'])
  return lineOf(child, (line) => {
    const { level, msg, target, ...rest } = JSON.parse(line)
    // 40 and up are warnings; a denied call is what this is about.
    if (level >= 40 && msg !== 'denied') console.error(msg, target ?? '', rest)
    if (msg === 'catalog read') left.delete(target)
    return left.size === 0 ? true : undefined
  })
}

async function startBoth(folder) {
  const port = await freePort()
  const gateway = `http://127.0.0.1:${port}/mcp`
  const server = start('authorization-server.mjs', [gateway, ELSEWHERE])
  const issuer = await lineOf(server, (line) => /^listening (\S+)$/.exec(line)?.[1])
  await startGateway(port, {
    ISSUER_URL: issuer,
    GATEWAY_URL: gateway,
    EXAMPLE_FILES: join(folder, 'files'),
    EXAMPLE_MEMORY: join(folder, 'memory.jsonl'),
  })
  return { gateway, issuer }
}

async function stop() {
  const ends = [...running].map((child) => once(child, 'exit'))
  for (const child of running) child.kill()
  await Promise.all(ends)
}

async function run(folder, isKept) {
  const { gateway, issuer } = await startBoth(folder).catch(async (error) => {
    // Somebody may have taken the port in between, but not twice.
    console.error(`${error.message}; once more`)
    await stop()
    return startBoth(folder)
  })
  console.log(`gateway              ${gateway}\nauthorization server ${issuer}\n`)
  const check = start('check.mjs', [gateway, ELSEWHERE, join(folder, 'files')])
  check.stdout.pipe(process.stdout)
  const [code] = await once(check, 'close')
  if (isKept) {
    console.log(`\nStill running. Connect an MCP client to ${gateway}; Ctrl-C ends it.`)
    await stopped
  }
  return code ?? 1
}

const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
const folder = await makeFiles()
try {
  const isKept = process.argv.includes('--keep')
  process.exitCode = await Promise.race([run(folder, isKept), stopped.then(() => 1)])
} finally {
  await stop()
  await rm(folder, { recursive: true })
}
