// `npm run bench [-- --seconds N] [-- --telemetry]`: what the gateway adds to a call, or what telemetry adds to that. All contenders run on this machine in one run and
// take turns, so the ratios mean something; the absolute numbers do not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { load } from './load.mjs'

const CONNECTIONS = 32
const ROUNDS = 3
const option = process.argv.indexOf('--seconds')
const isAboutTelemetry = process.argv.includes('--telemetry')
const seconds = option === -1 ? 3 : Number(process.argv[option + 1])
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const children = []

const start = (file, ...args) => {
  const child = spawn(process.execPath, [here(file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  return child
}
const firstLine = (child) =>
  new Promise((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk).trim()))
    child.once('exit', (code) => reject(new Error(`a contender exited with ${code}`)))
  })

const folder = await mkdtemp(join(tmpdir(), 'junction-bench-'))
try {
  const backend = Number(await firstLine(start('backend.mjs', '100')))
  if (isAboutTelemetry) await compareTelemetry(backend)
  else await compareProxies(backend)
} finally {
  for (const child of children) child.kill()
  await rm(folder, { recursive: true })
}

async function compareProxies(backend) {
  const bare = Number(await firstLine(start('bare-proxy.mjs', String(backend))))
  const gateway = await startGateway(backend, { admin: false, telemetry: { accessLog: false } })
  const best = await bestOf([
    { name: 'direct', port: backend, headers: {}, tool: 'echo' },
    { name: 'bare node:http + undici proxy', port: bare, headers: {}, tool: 'echo' },
    { name: 'mcp-junction', ...gateway, tool: 'bench__echo' },
  ])
  const bareRate = best.get('bare node:http + undici proxy').callsPerSecond
  printTable(best, '× bare proxy', bareRate)
}

/** Off: nobody hears of requests. On: metrics, the access log, and traces of one call in a hundred. */
async function compareTelemetry(backend) {
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200).end())
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const endpoint = `http://127.0.0.1:${collector.address().port}`
  const off = await startGateway(backend, { admin: false, telemetry: { accessLog: false } })
  const on = await startGateway(backend, {
    admin: { port: 0 },
    telemetry: { accessLog: true, otlp: { endpoint }, traces: { sampler: 0.01 } },
  })
  const best = await bestOf([
    { name: 'telemetry off', ...off, tool: 'bench__echo' },
    { name: 'telemetry on', ...on, tool: 'bench__echo' },
  ])
  collector.close()
  const rate = (name) => best.get(name).callsPerSecond
  printTable(best, '× off', rate('telemetry off'))
  const ratio = rate('telemetry on') / rate('telemetry off')
  console.log(`\nwith telemetry, ${(100 * ratio).toFixed(1)} % of the calls without`)
}

/** They take turns, so that what else the machine does concerns all alike. */
async function bestOf(contenders) {
  for (const it of contenders) await load({ ...it, connections: CONNECTIONS, seconds: 2 })
  const best = new Map()
  for (let round = 0; round < ROUNDS; round++) {
    for (const it of contenders) {
      const result = await load({ ...it, connections: CONNECTIONS, seconds })
      if (result.callsPerSecond > (best.get(it.name)?.callsPerSecond ?? 0))
        best.set(it.name, result)
    }
  }
  return best
}

function printTable(best, relation, whole) {
  console.log(
    `\ntools/call, 100 B result, ${CONNECTIONS} connections, best of ${ROUNDS} × ${seconds} s\n`,
  )
  console.log(`| Contender | calls/s | ${relation} | p50 ms | p99 ms |\n|---|---|---|---|---|`)
  for (const [name, { callsPerSecond, p50, p99 }] of best) {
    const ratio = (callsPerSecond / whole).toFixed(2)
    console.log(
      `| ${name} | ${callsPerSecond.toFixed(0)} | ${ratio} | ${p50.toFixed(2)} | ${p99.toFixed(2)} |`,
    )
  }
}

/** Its log goes to a file: who measures should not have to read it. */
async function startGateway(backendPort, settings) {
  const config = join(folder, `junction-${children.length}.json`)
  const target = { name: 'bench', mcp: { url: `http://127.0.0.1:${backendPort}/mcp` } }
  await writeFile(config, JSON.stringify({ ...settings, listen: { port: 0 }, targets: [target] }))
  const logFile = await open(`${config}.log`, 'w')
  const child = spawn(
    process.execPath,
    [here('../../dist/src/cli.js'), 'serve', '--config', config],
    { stdio: ['ignore', logFile.fd, 'inherit'] },
  )
  children.push(child)
  await logFile.close()
  const port = await listeningPort(child, `${config}.log`)
  const answer = await fetch(`http://127.0.0.1:${port}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'bench', version: '1' },
      },
    }),
  })
  return { port, headers: { 'Mcp-Session-Id': answer.headers.get('mcp-session-id') } }
}

async function listeningPort(child, log) {
  for (;;) {
    const url = /"url":"http:\/\/127\.0\.0\.1:(\d+)\/mcp"/.exec(await readFile(log, 'utf8'))
    if (url !== null) return Number(url[1])
    if (child.exitCode !== null) throw new Error(`the gateway exited with ${child.exitCode}`)
    await setTimeout(20)
  }
}
