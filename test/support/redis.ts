/** A real Redis of its own for a test. Where `redis-server` is not installed, the tests are skipped and say so. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createClient } from '@redis/client'
import { describe } from 'vitest'
import { waitUntil } from './wait-until.js'

/** Whether there is a Redis to test against. */
const HAS_REDIS = (process.env['PATH'] ?? '')
  .split(':')
  .some((folder) => existsSync(join(folder, 'redis-server')))

/** Tests against a real Redis; where there is none, they are skipped, and their title says why. */
export function describeWithRedis(title: string, body: () => void): void {
  const titleNow = HAS_REDIS ? title : `${title} (skipped: apt-get install redis-server)`
  // oxlint-disable-next-line vitest/valid-title -- it is the caller's
  describe.skipIf(!HAS_REDIS)(titleNow, () => {
    body()
  })
}

export class Redis implements AsyncDisposable {
  readonly port: number
  readonly #folder: string
  readonly #options: readonly string[]
  #child: ChildProcess | undefined

  private constructor(port: number, folder: string, options: readonly string[]) {
    this.port = port
    this.#folder = folder
    this.#options = options
  }

  /** Starts one that forgets everything when it ends. */
  static async start(...options: readonly string[]): Promise<Redis> {
    const redis = await Redis.at(await freePort(), ...options)
    await redis.restart()
    return redis
  }

  /** One that has not been started. */
  static async reserve(): Promise<Redis> {
    return Redis.at(await freePort())
  }

  static async at(port: number, ...options: readonly string[]): Promise<Redis> {
    return new Redis(port, await mkdtemp(join(tmpdir(), 'redis-')), options)
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** The path of a socket beside the port, which TLS and passwords do not concern. */
  get #socket(): string {
    return join(this.#folder, 'redis.sock')
  }

  /** Starts it, for the first time or where it was before. */
  async restart(): Promise<void> {
    const port = this.#options.includes('--tls-port') ? '0' : String(this.port)
    const fixed = ['--bind', '127.0.0.1', '--port', port, '--unixsocket', this.#socket]
    const forgetful = ['--save', '', '--appendonly', 'no', '--dir', this.#folder]
    const own = this.#options.map((it) => it.replace('PORT', String(this.port)))
    const child = spawn('redis-server', [...fixed, ...forgetful, ...own], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    const said: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line))
    await waitUntil(() => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${said.join('\n')}`)
      return said.some((line) => line.includes('Ready to accept connections'))
    }, 'Redis to be ready')
  }

  /** Asks it something, on a connection of its own. */
  async command(...args: readonly string[]): Promise<unknown> {
    const [password] = this.#options[0] === '--requirepass' ? this.#options.slice(1) : []
    const client = createClient({
      socket: { path: this.#socket, tls: false },
      ...(password === undefined ? {} : { password }),
      RESP: 2,
    })
    await client.connect()
    try {
      return await client.sendCommand([...args])
    } finally {
      client.destroy()
    }
  }

  /** Connections of gateways. */
  async connections(): Promise<number> {
    const list = String(await this.command('CLIENT', 'LIST'))
    return list.split('\n').filter((line) => line.includes(`laddr=127.0.0.1:${this.port} `)).length
  }

  /** The ends of the leases of all running calls, in no order. */
  async leases(): Promise<readonly number[]> {
    const ends: number[] = []
    for (const key of (await this.command('KEYS', '*:running')) as string[]) {
      const reply = (await this.command('ZRANGE', key, '0', '-1', 'WITHSCORES')) as string[]
      ends.push(...reply.flatMap((it, i) => (i % 2 === 1 ? [Number(it)] : [])))
    }
    return ends
  }

  /** It hangs, and its connections stay: nothing is answered from now on. */
  async pause(): Promise<void> {
    const pid = this.#child?.pid
    this.#child?.kill('SIGSTOP')
    const isStopped = async () => (await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') T ')
    await waitUntil(isStopped, 'Redis to hang')
  }

  /** Bytes that have come over TCP, and that it has not read. */
  async unread(): Promise<number> {
    const sockets = (await readFile('/proc/net/tcp', 'utf8')).split('\n').slice(1)
    const port = `:${this.port.toString(16).toUpperCase().padStart(4, '0')}`
    const waiting = sockets
      .map((line) => line.trim().split(/\s+/))
      .filter(([, it]) => it?.endsWith(port))
    // Fourth are the states: 01 is a connection. Fifth are the queues of what is sent and received.
    const queues = waiting.flatMap(([, , , state, queue]) => (state === '01' ? [queue ?? ''] : []))
    return queues.reduce((sum, queue) => sum + Number.parseInt(queue.split(':')[1] ?? '', 16), 0)
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true })
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
