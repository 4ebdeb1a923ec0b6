// What a gateway costs while nobody calls: sessions with streams, many targets, and servers that keep saying that they changed.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startGateway } from './gateway.mjs'
import { cpuSeconds, mib, residentKib } from './machine.mjs'
import { folder } from './processes.mjs'
import { openStreams } from './streams.mjs'

const KIB = 1024
const POLL_MS = 20
const SETTLE_MS = 3_000
const PRELOAD = fileURLToPath(new URL('memory-on-signal.mjs', import.meta.url))

/** KiB that each of so many sessions with a GET stream adds: resident, and alive after a collection. */
export async function measureSessions(backend, count) {
  const gateway = await startObserved({ targets: backend.targets(1, 10) })
  // What the first of all loads and compiles is not the sessions'.
  const first = await openStreams(gateway, 50)
  const before = await gateway.memory()
  const streams = await openStreams(gateway, count)
  await setTimeout(SETTLE_MS)
  const peak = residentKib(gateway.pids())
  const after = await gateway.memory()
  streams.close()
  first.close()
  await gateway.stop()
  const each = (field) => (after[field] - before[field]) / KIB / count
  return {
    sessions: count,
    residentKib: each('rss'),
    uncollectedKib: peak / count - before.rss / KIB / count,
    heapKib: each('heapUsed'),
    externalKib: each('external'),
  }
}

/** Share of a core while nothing happens. */
export async function measureIdleCpu(backend, { targets, sessions, seconds }) {
  const gateway = await startGateway({ targets: backend.targets(targets, 10, 'watched') })
  const streams = await openStreams(gateway, sessions)
  await setTimeout(SETTLE_MS)
  const before = cpuSeconds(gateway.pids())
  await setTimeout(seconds * 1000)
  const share = (cpuSeconds(gateway.pids()) - before) / seconds
  streams.close()
  await gateway.stop()
  return { targets, sessions, seconds, coreShare: share }
}

/** From the start of the process to the first `200` of `/readyz`. */
export async function measureStartUp(backend, counts) {
  const rows = []
  for (const targets of counts) {
    const gateway = await startGateway({ targets: backend.targets(targets, 100) })
    const cpu = cpuSeconds(gateway.pids())
    const { tools } = await gateway.ask('tools/list')
    rows.push({
      targets,
      tools: tools.length,
      readyMs: gateway.readyMs,
      cpuSeconds: cpu,
      residentMib: mib(residentKib(gateway.pids())),
    })
    await gateway.stop()
  }
  return rows
}

/** A server that says so many times a second that its list is another, heard by so many sessions. */
export async function measureStorm(backend, { changesPerSecond, sessions, seconds }) {
  const gateway = await startGateway({ targets: backend.targets(1, 100, 'watched') })
  const streams = await openStreams(gateway, sessions)
  const counts = await backend.counts()
  const cpu = cpuSeconds(gateway.pids())
  backend.tell({ changesPerSecond })
  await setTimeout(seconds * 1000)
  backend.tell({ changesPerSecond: 0 })
  const used = cpuSeconds(gateway.pids()) - cpu
  await setTimeout(SETTLE_MS)
  const after = await backend.counts()
  const heard = streams.heard()
  streams.close()
  await gateway.stop()
  return {
    changesPerSecond: after.changes / seconds - (counts.changes ?? 0) / seconds,
    sessions,
    lists: after['tools/list'] - counts['tools/list'],
    toldPerSession: heard / sessions,
    seconds,
    coreShare: used / seconds,
  }
}

/** A gateway that can be asked what it holds. */
async function startObserved(settings) {
  const file = join(folder, 'memory.json')
  const gateway = await startGateway(settings, {
    nodeArgs: ['--expose-gc', `--import=${PRELOAD}`],
    env: { BENCH_MEMORY_FILE: file },
  })
  const memory = async () => {
    rmSync(file, { force: true })
    process.kill(gateway.pid, 'SIGUSR2')
    while (!existsSync(file)) await setTimeout(POLL_MS)
    return JSON.parse(readFileSync(file, 'utf8'))
  }
  return { ...gateway, memory }
}
