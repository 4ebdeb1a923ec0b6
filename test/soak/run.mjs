// `npm run soak [-- --minutes N] [--sessions N]`: clients of both eras call through one gateway while servers, targets,
// sessions, streams and the configuration come and go. Each answer must hold its own call's mark and come to whoever asked.
// What the gateway holds (heap after a collection, handles, child processes) is measured at the same load again and again, and
// once all sessions are gone. Ends with 1 where anything of that is not as it must be.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { hangUp, LegacyClient, ModernClient } from './client.mjs'
import { startGateway } from './gateway.mjs'
import { Operations } from './operations.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const option = (name, usual) => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? usual : Number(process.argv[at + 1])
}
const MINUTES = option('minutes', 10)
const SESSIONS = option('sessions', 2_000)
/** At it at the same time; each rests after a call for as long as several calls take, so that the machine keeps up. */
const CALLERS = 24
const REST_MS = 40
const REST_FACTOR = 3
const MOST_REST_MS = 200
/** How often something comes or goes. */
const CHURN = { sessions: 300, streams: 250, servers: 20_000, targets: 13_000, children: 17_000 }
const MAX_FAILURES = 20
/** Longer than a call may take. */
const SLOW_MS = 15_000
/** All clients come, and go, so often: for which part of the time, and how often it is measured in it. */
const LONGEST = 0.5
const PHASES = [
  [0.25, 2],
  [LONGEST, 12],
  [0.25, 2],
]
/** Within which a gateway that leaks nothing stays, under load and where all sessions have ended. */
const GROWTH_MB = 80
const REST_MB = 8
const REST_RSS_MB = 100
const REST_HANDLES = 30

const folder = await mkdtemp(join(tmpdir(), 'junction-soak-'))
const servers = new Map()
const clients = []
/** Of the clients that are there now. */
const phase = { isOver: false }

try {
  const failures = await soak()
  for (const it of failures) console.log(`FAILED: ${it}`)
  process.exitCode = failures.length === 0 ? 0 : 1
} finally {
  for (const { child } of servers.values()) child.kill('SIGKILL')
  await rm(folder, { recursive: true })
}

async function soak() {
  for (const [name, era] of Object.entries(ERAS())) await startServer(name, era)
  const gateway = await startGateway(folder, configuration(true, '20s'))
  try {
    return await loaded(gateway)
  } finally {
    await gateway.stop()
  }
}

/** The servers over HTTP; `guest` comes and goes as a target. */
function ERAS() {
  return { alpha: 'legacy', beta: 'legacy', gamma: 'modern', guest: 'legacy' }
}

function configuration(hasGuest, timeout) {
  const stdio = { command: process.execPath, args: [here('../support/stdio-servers/good.mjs')] }
  const over = [...servers].map(([name, { port }]) => ({
    name,
    mcp: { url: `http://127.0.0.1:${port}/mcp` },
    timeouts: { call: timeout },
    circuitBreaker: { ejection: '1s' },
  }))
  return {
    listen: { port: 0 },
    admin: false,
    targets: [
      ...over.filter(({ name }) => hasGuest || name !== 'guest'),
      { name: 'shared', stdio: { ...stdio, scope: 'shared' } },
      { name: 'own', stdio: { ...stdio, scope: 'session' } },
    ],
  }
}

async function loaded(gateway) {
  const failures = []
  const fail = (what) => {
    if (failures.length < MAX_FAILURES) failures.push(what)
  }
  const operations = new Operations(clients, fail)
  const before = await calm(gateway)
  console.log(`${SESSIONS} sessions, ${MINUTES} minutes; before them ${shown(before)}`)
  const rests = []
  for (const [share, measures] of PHASES) {
    const measured = await load(gateway, operations, share * MINUTES * 60_000, measures, fail)
    if (gateway.child.exitCode !== null) return [`the gateway ended with ${gateway.child.exitCode}`]
    if (share === LONGEST) judgeGrowth(measured, share * MINUTES, fail)
    await Promise.all(clients.splice(0).map((it) => it.end().catch(() => undefined)))
    hangUp()
    rests.push(await calm(gateway))
    console.log(`all sessions ended: ${shown(rests.at(-1))}`)
    await judgeServers(fail)
  }
  judgeRests(before, rests, fail)
  console.log(operations.report())
  if (operations.answers === 0) fail('nothing was answered')
  const log = (await gateway.readLog()).split('\n')
  const errors = log.filter((it) => /internal error|uncaught|unhandled/i.test(it))
  for (const it of errors.slice(0, 3)) fail(`the log has: ${it.slice(0, 300)}`)
  const slow = log.filter((it) => Number(/"durationMs":(\d+)/.exec(it)?.[1]) > SLOW_MS)
  for (const it of slow.slice(0, MAX_FAILURES)) console.log(`slow: ${it.slice(0, 500)}`)
  return failures
}

/** Clients come, call for so long while everything else comes and goes, and are there still. Returns what was measured. */
async function load(gateway, operations, ms, count, fail) {
  phase.isOver = false
  await openAll(gateway.url)
  const callers = Array.from({ length: CALLERS }, () => call(operations))
  const churning = churn(gateway, operations, fail)
  const measures = []
  operations.summary()
  const startedAt = Date.now()
  for (let index = 1; index <= count && gateway.child.exitCode === null; index++) {
    await sleep(startedAt + (index * ms) / count - Date.now())
    // At the same load: nothing is under way, and as much is there as before.
    await operations.pause()
    measures.push({ at: (Date.now() - startedAt) / 60_000, ...(await gateway.measure()) })
    operations.resume()
    console.log(`${elapsed(startedAt)}: ${shown(measures.at(-1))}; ${operations.summary()}`)
  }
  phase.isOver = true
  await Promise.all([...callers, churning])
  return measures
}

/** Once connections that nobody needs are closed, and what is on its way out is gone. */
async function calm(gateway) {
  let least = Infinity
  let last
  for (let time = 0; time < 12; time++) {
    await sleep(2_500)
    last = await gateway.measure()
    if (last.handles >= least && time > 3) break
    least = Math.min(least, last.handles)
  }
  return last
}

async function openAll(url) {
  while (clients.length < SESSIONS) {
    const some = Array.from({ length: 20 }, (_, index) => openClient(url, clients.length + index))
    clients.push(...(await Promise.all(some)))
  }
}

/** Every fourth is of the newer era; every third listens from the beginning. */
async function openClient(url, index) {
  const capabilities = index % 10 < 2 ? { elicitation: {} } : {}
  const client =
    index % 4 === 3
      ? new ModernClient(url, capabilities)
      : await LegacyClient.open(url, capabilities)
  if (index % 3 === 0) await client.listen(() => undefined)
  return client
}

async function call(operations) {
  while (!phase.isOver) {
    const begunAt = performance.now()
    await operations.next()
    await sleep(Math.min(MOST_REST_MS, REST_MS + REST_FACTOR * (performance.now() - begunAt)))
  }
}

/** Everything that comes and goes, each in a rhythm of its own. */
async function churn(gateway, operations, fail) {
  const every = async (ms, act) => {
    while (!phase.isOver) {
      await sleep(ms * (0.5 + Math.random()))
      if (phase.isOver) return
      await operations.beside(act).catch((error) => fail(`${act.name}: ${error.message}`))
    }
  }
  let hasGuest = true
  let timeout = 20
  const replaceSession = async () => {
    const index = Math.floor(Math.random() * clients.length)
    const next = await openClient(gateway.url, index)
    const old = clients[index]
    // What runs in a session that is ended is given up, without an answer.
    if (operations.isBusy(old)) return next.end()
    clients[index] = next
    operations.count('sessions replaced')
    await old.end()
  }
  const replaceStream = async () => {
    const client = operations.idleClient()
    if (client === undefined) return
    if (client.streams > 0) client.closeStream()
    else if ((await client.listen((message) => operations.hear(client, message))) === 200) {
      operations.count('streams opened')
    }
  }
  const restartServer = async () => {
    const names = ['alpha', 'beta', 'gamma']
    const name = names[Math.floor(Math.random() * names.length)]
    const { child, era, port } = servers.get(name)
    operations.excuse(name)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await sleep(500)
    await startServer(name, era, port)
    operations.excuse(name)
    operations.count('servers killed and started')
  }
  const changeTargets = async () => {
    if (Math.random() < 0.5) hasGuest = !hasGuest
    else timeout = timeout === 20 ? 21 : 20
    operations.excuse('guest', hasGuest ? undefined : Infinity)
    await gateway.reconfigure(configuration(hasGuest, `${timeout}s`))
    operations.count('configurations')
  }
  const killChild = async () => {
    const children = gateway.children()
    const pid = children[Math.floor(Math.random() * children.length)]
    for (const name of ['shared', 'own']) operations.excuse(name)
    if (pid === undefined || !isServer(pid)) return
    process.kill(pid, 'SIGKILL')
    operations.count('child processes killed')
  }
  await Promise.all([
    every(CHURN.sessions, replaceSession),
    every(CHURN.streams, replaceStream),
    every(CHURN.servers, restartServer),
    every(CHURN.targets, changeTargets),
    every(CHURN.children, killChild),
  ])
}

/** Whether it is a server, and not what looks after the others. */
function isServer(pid) {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('good.mjs')
}

async function startServer(name, era, port) {
  const at = port ?? (await freePort())
  const child = spawn(process.execPath, [here('server.mjs'), name, era, String(at)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  servers.set(name, { child, era, port: at })
  await once(child.stdout, 'data')
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/**
 * What the heap grows by in the time, at the same number of handles: how many sessions servers have for clients goes up and
 * down as they are killed, and heap and handles with it.
 */
function judgeGrowth(measures, minutes, fail) {
  const [, ...warm] = measures
  const mean = (of) => warm.reduce((sum, it) => sum + of(it), 0) / warm.length
  const means = {
    at: mean((it) => it.at),
    handles: mean((it) => it.handles),
    heap: mean((it) => it.heap),
  }
  const sum = (one, other) =>
    warm.reduce((all, it) => all + (it[one] - means[one]) * (it[other] - means[other]), 0)
  // Least squares: heap = a + b * handles + c * time.
  const whole = sum('at', 'at') * sum('handles', 'handles') - sum('at', 'handles') ** 2
  const perMinute =
    (sum('at', 'heap') * sum('handles', 'handles') -
      sum('handles', 'heap') * sum('at', 'handles')) /
    whole
  const grown = perMinute * minutes
  console.log(`at the same number of handles the heap grew by ${grown.toFixed(1)} MB`)
  if (!(grown < GROWTH_MB)) fail(`the heap grew by ${grown.toFixed(1)} MB under the same load`)
}

/** What is left where nobody has a session: the same after each phase, and of handles as before the first. */
function judgeRests(before, rests, fail) {
  const [first, last] = [rests[0], rests.at(-1)]
  if (last.heap - first.heap > REST_MB)
    fail(`heap: ${first.heap} MB were left, then ${last.heap} MB`)
  if (last.rss - first.rss > REST_RSS_MB)
    fail(`RSS: ${first.rss} MB were left, then ${last.rss} MB`)
  for (const [what, allowed] of [
    ['handles', REST_HANDLES],
    ['sockets', REST_HANDLES],
    ['children', 0],
  ]) {
    const more = last[what] - before[what]
    if (more > allowed) fail(`${more} more ${what} than before the first session`)
  }
}

/** Servers have the sessions of the gateway itself, and no others. */
async function judgeServers(fail) {
  for (const [name, { port }] of servers) {
    const held = await (await fetch(`http://127.0.0.1:${port}/held`)).json()
    if (held.sessions > 2 || held.asked > 0 || held.listens > 4) {
      fail(`${name} still holds ${JSON.stringify(held)}`)
    }
  }
}

function shown({ heap, rss, handles, sockets, children }) {
  return `heap ${heap} MB, RSS ${rss} MB, ${handles} handles, ${sockets} sockets, ${children} children`
}

function elapsed(startedAt) {
  return `${((Date.now() - startedAt) / 60_000).toFixed(1)} min`
}
