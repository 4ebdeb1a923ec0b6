// The machine under the bench: which core is whose, and what Linux says of a process.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'

const NANOS = 1e9
const KIB = 1024

const hasTaskset = spawnSync('taskset', ['--version']).status === 0
/** A contender has the first core for itself; whoever loads and answers it has the others. */
const isPinned = hasTaskset && availableParallelism() > 1
const lastCore = availableParallelism() - 1

/** To be called before anything is started: children inherit it. */
export function leaveFirstCore() {
  if (isPinned) spawnSync('taskset', ['-acp', `1-${lastCore}`, String(process.pid)])
}

/** A command that runs on the first core alone. */
export function onFirstCore(command, args) {
  return isPinned ? ['taskset', ['-c', '0', command, ...args]] : [command, args]
}

export function describeMachine() {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    isPinned,
    node: process.version,
    nginx: versionOf('nginx', ['-v']),
  }
}

/** Of a process and all that it started, its own id first. */
export function family(pid) {
  const ids = [pid]
  for (const id of ids) {
    for (const thread of read(() => readdirSync(`/proc/${id}/task`), [])) {
      const children = read(() => readFileSync(`/proc/${id}/task/${thread}/children`, 'utf8'), '')
      ids.push(...children.split(' ').filter(Boolean).map(Number))
    }
  }
  return ids
}

/** What the threads of these processes have run for, in user and kernel. Not a number where there is no `/proc`. */
export function cpuSeconds(pids) {
  return sum(pids, (pid) => {
    const threads = readdirSync(`/proc/${pid}/task`)
    const nanos = threads.map((thread) => {
      const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      return Number(ran)
    })
    return nanos.reduce((total, it) => total + it, 0) / NANOS
  })
}

/** Memory that is resident now, in KiB. */
export function residentKib(pids) {
  return sum(pids, (pid) => statusKib(pid, 'VmRSS'))
}

/** The most since `forgetPeak`, in KiB. */
export function peakKib(pids) {
  return sum(pids, (pid) => statusKib(pid, 'VmHWM'))
}

export function forgetPeak(pids) {
  for (const pid of pids) read(() => writeFileSync(`/proc/${pid}/clear_refs`, '5'), undefined)
}

export function mib(kib) {
  return kib / KIB
}

function statusKib(pid, field) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)[1])
}

function sum(pids, figure) {
  return read(() => pids.reduce((total, pid) => total + figure(pid), 0), NaN)
}

/** Processes end while they are looked at, and other systems have no `/proc`. */
function read(get, otherwise) {
  try {
    return get()
  } catch {
    return otherwise
  }
}

function versionOf(command, args) {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? /[\d.]+/.exec(`${stdout}${stderr}`)?.[0] : undefined
}
