// What `npm run example:observability` does: the servers, the gateway, two agents, a collector of traces and, where
// the program is installed, Prometheus; all on ports that the system chooses, until Ctrl-C. `--interval 1s` scrapes that often.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const option = process.argv.indexOf('--interval')
const INTERVAL = option === -1 ? '5s' : process.argv[option + 1]
const running = new Set()

function start(program, args, env = {}) {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** Resolves with what `read` finds in its output; rejects when it cannot be started, or ends, before that. */
function found(child, stream, read) {
  const said = []
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => reject(new Error(`${child.spawnfile} ended: ${said.join('\n')}`)))
    createInterface({ input: child[stream] }).on('line', (line) => {
      if (said.length < 50) said.push(line)
      const it = read(line)
      if (it !== undefined) resolve(it)
    })
  })
}

/** A program of this folder that says where it listens. */
function listening(program) {
  const child = start(process.execPath, [here(program)])
  child.stderr.pipe(process.stderr)
  return found(child, 'stdout', (line) => /^listening (\S+)$/.exec(line)?.[1])
}

/** Where nobody listens. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves with the addresses of the gateway and its page, once "search" has said what it has. */
async function startGateway(folder, env) {
  const config = join(folder, 'config')
  await mkdir(config)
  await cp(here('junction.yaml'), join(config, 'junction.yaml'))
  await writeFile(join(config, 'listen.yaml'), 'listen: { port: 0 }\nadmin: { port: 0 }\n')
  const args = [here('../../dist/src/cli.js'), 'serve', '--config', config, '--log-level', 'info']
  const child = start(process.execPath, args, env)
  child.stderr.pipe(process.stderr)
  const urls = {}
  return found(child, 'stdout', (line) => {
    const { msg, url, target } = JSON.parse(line)
    if (msg === 'listening') urls.gateway = url
    if (msg === 'admin listener') urls.page = url
    return msg === 'catalog read' && target === 'search' ? { ...urls, config } : undefined
  })
}

/** `undefined` where it is not installed. */
async function startPrometheus(folder, page) {
  const settings = parse(await readFile(here('prometheus.yml'), 'utf8'))
  const [scrape] = settings.scrape_configs
  // On a loopback address the gateway wants no token.
  delete scrape.authorization
  scrape.static_configs = [{ targets: [new URL(page).host] }]
  Object.assign(settings.global, { scrape_interval: INTERVAL, evaluation_interval: INTERVAL })
  settings.global.scrape_timeout = INTERVAL
  await writeFile(join(folder, 'prometheus.yml'), stringify(settings))
  await cp(here('alerts.yaml'), join(folder, 'alerts.yaml'))
  const address = `127.0.0.1:${await freePort()}`
  const child = start('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'prometheus')}`,
    `--web.listen-address=${address}`,
  ])
  const isReady = (line) => line.includes('Server is ready') || undefined
  try {
    await found(child, 'stderr', isReady)
    return `http://${address}`
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

async function stop() {
  const ends = [...running].map(async (child) => {
    const end = once(child, 'close')
    child.kill()
    const late = sleep(15_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))
    await Promise.race([end, late])
  })
  await Promise.all(ends)
}

async function run(folder) {
  const [servers, traces] = await Promise.all([listening('servers.mjs'), listening('traces.mjs')])
  const { gateway, page, config } = await startGateway(folder, {
    SERVERS_URL: servers,
    ARCHIVE_URL: `http://127.0.0.1:${await freePort()}/mcp`,
    OTLP_URL: traces,
  })
  start(process.execPath, [here('load.mjs'), gateway]).stderr.pipe(process.stderr)
  const prometheus = await startPrometheus(folder, page)
  console.log(`gateway        ${gateway}
page           ${page}/
traces         ${traces}/?ms=200
prometheus     ${prometheus ?? 'not installed (apt-get install prometheus)'}
configuration  ${config} (applied as it is saved)

For Grafana, import ${here('dashboard.json')}. Ctrl-C ends it all.`)
}

const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
const folder = await mkdtemp(join(tmpdir(), 'observability-example-'))
try {
  await Promise.race([run(folder).then(() => stopped), stopped])
} finally {
  await stop()
  await rm(folder, { recursive: true })
}
