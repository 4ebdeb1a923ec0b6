// Gateways to be measured: each a process of its own, with a configuration like that of a user.
import { openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { family } from './machine.mjs'
import { folder, profileArgs, start, stop } from './processes.mjs'
import { ask, openSession } from './requests.mjs'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const START_MS = 120_000
const POLL_MS = 5

let started = 0

/**
 * Starts one and waits until it is ready. What `settings` leaves out is as it is by default, but ports. `headers` are what
 * a client shows with each request.
 */
export async function startGateway(settings, { headers = {}, nodeArgs = [], env = {} } = {}) {
  const name = join(folder, `junction-${started++}`)
  const config = `${name}.json`
  const log = `${name}.log`
  const telemetry = { logLevel: 'info', ...settings.telemetry }
  const whole = { admin: { port: 0 }, ...settings, listen: { port: 0 }, telemetry }
  writeFileSync(config, JSON.stringify(whole))
  const begin = performance.now()
  // Its log goes to a file: who measures should not have to read it. Appended to, so that it can be emptied.
  const stdio = ['ignore', openSync(log, 'a'), 'inherit']
  const words = [...profileArgs(), ...nodeArgs, CLI, 'serve', '--no-watch', '--config', config]
  const options = { isContender: true, stdio, env: { ...process.env, ...env } }
  const child = start(process.execPath, words, options)
  const port = await listeningPort(child, log)
  await ready(port)
  const readyMs = performance.now() - begin
  return {
    path: '/mcp',
    port,
    headers,
    readyMs,
    isGateway: true,
    pid: child.pid,
    pids: () => family(child.pid),
    emptyLog: () => truncateSync(log),
    stop: () => stop(child),
    /** A session of the older era: the headers that its requests have. */
    session: () => openSession({ port, path: '/mcp', headers }),
    ask: (method, params) => ask({ port, path: '/mcp', headers }, method, params),
  }
}

async function listeningPort(child, log) {
  for (const until = performance.now() + START_MS; performance.now() < until;) {
    const url = /"url":"http:\/\/127\.0\.0\.1:(\d+)\/mcp"/.exec(readFileSync(log, 'utf8'))
    if (url !== null) return Number(url[1])
    if (child.exitCode !== null) break
    await setTimeout(POLL_MS)
  }
  throw new Error(`the gateway did not start:\n${readFileSync(log, 'utf8').slice(-2_000)}`)
}

async function ready(port) {
  for (const until = performance.now() + START_MS; performance.now() < until;) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
    await answer.body?.cancel()
    if (answer.status === 200) return
    await setTimeout(POLL_MS)
  }
  throw new Error('the gateway does not become ready')
}
