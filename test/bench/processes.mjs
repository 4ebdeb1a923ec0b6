// The processes of a run, and its folder: all are gone when it ends, however it ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onFirstCore } from './machine.mjs'

const STOP_MS = 15_000
const children = new Set()

// In memory, where there is such a folder: a disk that is written to takes as much time as all that is measured.
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
export const folder = mkdtempSync(join(memory, 'junction-bench-'))
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** `isContender`: it has the first core for itself. */
export function start(command, args, { isContender = false, ...options } = {}) {
  const [program, words] = isContender ? onFirstCore(command, args) : [command, args]
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'], ...options })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** One of this folder's programs. */
export function startProgram(file, args, options) {
  const path = fileURLToPath(new URL(file, import.meta.url))
  return start(process.execPath, [path, ...args], options)
}

/** The port that a program prints as its first line. */
export function printedPort(child) {
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(Number(String(chunk))))
    child.once('exit', (code) => reject(new Error(`a process of the bench exited with ${code}`)))
  })
}

/** Ends as it would in production, so that a profile of it is written. */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exit
  clearTimeout(timer)
}

/** Where gateways write CPU profiles, or `undefined`. */
export function profileArgs() {
  const option = process.argv.indexOf('--profile')
  if (option === -1) return []
  const target = process.argv[option + 1]
  mkdirSync(target, { recursive: true })
  return ['--cpu-prof', `--cpu-prof-dir=${target}`]
}
