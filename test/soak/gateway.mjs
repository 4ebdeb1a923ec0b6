// The gateway of the soak: the built command in a process of its own, and what can be seen of it from outside: its heap
// after a collection (over the inspector, which the command itself knows nothing of), what it has open, its children.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { open, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'undici'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

export async function startGateway(folder, config) {
  const file = join(folder, 'junction.json')
  const logFile = join(folder, 'gateway.log')
  await writeFile(file, JSON.stringify(config))
  const log = await open(logFile, 'w')
  const args = ['--inspect=127.0.0.1:0', CLI, 'serve', '--config', file]
  const child = spawn(process.execPath, args, { stdio: ['ignore', log.fd, log.fd] })
  await log.close()
  const find = async (pattern) => {
    for (;;) {
      const found = pattern.exec(await readFile(logFile, 'utf8'))
      if (found !== null) return found[1]
      if (child.exitCode !== null)
        throw new Error(`the gateway ended: ${await readFile(logFile, 'utf8')}`)
      await sleep(50)
    }
  }
  const inspector = await find(/Debugger listening on (ws:\S+)/)
  const url = await find(/"url":"(http:\S+?\/mcp)"/)
  return {
    url,
    child,
    readLog: () => readFile(logFile, 'utf8'),
    /** As editors do: another file takes the place of the old one. */
    reconfigure: async (changed) => {
      await writeFile(`${file}.new`, JSON.stringify(changed))
      await rename(`${file}.new`, file)
    },
    measure: () => measure(child.pid, inspector),
    children: () => childrenOf(child.pid),
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', (code) => resolve(code))
        child.kill('SIGTERM')
      }),
  }
}

/** In MB, after what is no longer used has been collected. */
async function measure(pid, inspector) {
  const heap = await heapAfterCollection(inspector)
  const handles = openOf(pid)
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
  return {
    heap,
    rss: Math.round(rss),
    handles: handles.length,
    sockets: handles.filter((it) => it.startsWith('socket:')).length,
    children: childrenOf(pid).length,
  }
}

async function heapAfterCollection(inspector) {
  const socket = new WebSocket(inspector)
  const answers = new Map()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(data)
    answers.get(id)?.(result)
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  let last = 0
  const ask = (method) =>
    new Promise((resolve) => {
      answers.set(++last, resolve)
      socket.send(JSON.stringify({ id: last, method }))
    })
  // What has finalizers is gone with the second.
  for (let time = 0; time < 2; time++) await ask('HeapProfiler.collectGarbage')
  const { usedSize } = await ask('Runtime.getHeapUsage')
  socket.close()
  return Math.round((usedSize / 1024 / 1024) * 10) / 10
}

function openOf(pid) {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))]
    } catch {
      // Closed meanwhile.
      return []
    }
  })
}

function childrenOf(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks.flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number),
  )
}
