// `npm run bench [-- --seconds N]`: what the gateway adds to a call. All contenders run on this machine in one run and
// take turns, so the ratios mean something; the absolute numbers do not.
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { load } from './load.mjs'

const CONNECTIONS = 32
const ROUNDS = 3
const option = process.argv.indexOf('--seconds')
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
  const bare = Number(await firstLine(start('bare-proxy.mjs', String(backend))))
  const gateway = await startGateway(backend)
  const contenders = [
    { name: 'direct', port: backend, headers: {}, tool: 'echo' },
    { name: 'bare node:http + undici proxy', port: bare, headers: {}, tool: 'echo' },
    { name: 'mcp-junction', port: gateway.port, headers: gateway.headers, tool: 'bench__echo' },
  ]
  for (const it of contenders) await load({ ...it, connections: CONNECTIONS, seconds: 2 })
  const best = new Map()
  for (let round = 0; round < ROUNDS; round++) {
    for (const it of contenders) {
      const result = await load({ ...it, connections: CONNECTIONS, seconds })
      if (result.callsPerSecond > (best.get(it.name)?.callsPerSecond ?? 0))
        best.set(it.name, result)
    }
  }
  const bareRate = best.get('bare node:http + undici proxy').callsPerSecond
  console.log(
    `\ntools/call, 100 B result, ${CONNECTIONS} connections, best of ${ROUNDS} × ${seconds} s\n`,
  )
  console.log('| Contender | calls/s | × bare proxy | p50 ms | p99 ms |\n|---|---|---|---|---|')
  for (const [name, { callsPerSecond, p50, p99 }] of best) {
    const ratio = (callsPerSecond / bareRate).toFixed(2)
    console.log(
      `| ${name} | ${callsPerSecond.toFixed(0)} | ${ratio} | ${p50.toFixed(2)} | ${p99.toFixed(2)} |`,
    )
  }
} finally {
  for (const child of children) child.kill()
  await rm(folder, { recursive: true })
}

async function startGateway(backendPort) {
  const config = join(folder, 'junction.json')
  await writeFile(
    config,
    JSON.stringify({
      listen: { port: 0 },
      admin: false,
      targets: [{ name: 'bench', mcp: { url: `http://127.0.0.1:${backendPort}/mcp` } }],
    }),
  )
  const child = start('../../dist/src/cli.js', 'serve', '--config', config)
  const port = await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      const url = /"url":"http:\/\/127\.0\.0\.1:(\d+)/.exec(String(chunk))
      if (url !== null) resolve(Number(url[1]))
    })
    child.once('exit', (code) => reject(new Error(`the gateway exited with ${code}`)))
  })
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
