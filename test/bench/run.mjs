// `npm run bench [-- --seconds N]`: what the gateway adds to a call; with `--telemetry` what telemetry adds to that. All
// contenders run on this machine in one run and take turns, so the ratios mean something; the absolute numbers do not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { load } from './load.mjs'

const CONNECTIONS = 32
const ROUNDS = 3
/** Of two that are near each other; what else the machine does comes and goes within seconds. */
const PAIRS = 24
const PAIR_SECONDS = 0.5
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

// In memory, where there is such a folder: a disk that is written to takes as much time as all that is measured.
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const folder = await mkdtemp(join(memory, 'junction-bench-'))
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
  const without = { ...off, tool: 'bench__echo', connections: CONNECTIONS }
  const telling = { ...on, tool: 'bench__echo', connections: CONNECTIONS }
  for (const it of [without, telling, without, telling]) await load({ ...it, seconds: 2 })
  const ratios = []
  for (let pair = 0; pair < PAIRS; pair++) {
    // Neither is always the first.
    const order = pair % 2 === 0 ? [without, telling] : [telling, without]
    const rates = new Map()
    for (const it of order) {
      rates.set(it, (await load({ ...it, seconds: PAIR_SECONDS })).callsPerSecond)
    }
    ratios.push(rates.get(telling) / rates.get(without))
  }
  collector.close()
  ratios.sort((one, other) => one - other)
  const percent = (share) => (100 * ratios[Math.floor(share * (PAIRS - 1))]).toFixed(1)
  console.log(
    `\nwith telemetry, ${percent(0.5)} % of the calls without, in the median of ${PAIRS} pairs` +
      ` (quartiles ${percent(0.25)} and ${percent(0.75)} %)`,
  )
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
