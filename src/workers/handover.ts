/**
 * The port of all workers: the primary takes connections and gives each, unread, to the next worker in turn. One is under
 * way to a worker at a time, and is the primary's until that says it has it, so that a worker which dies before takes
 * nothing with it. (`node:cluster` leaves such a client waiting for ever, and breaks those that still wait
 * when a port is closed.)
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { closeUnawaited } from '../http/entrance.js'

export interface Receiver {
  give(connection: Socket): void
}

export class Handover {
  readonly #server: Server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  readonly #waiting: Socket[] = []
  /** In turn. */
  readonly #idle: Receiver[] = []
  readonly #underWay = new Map<Receiver, Socket>()
  #onEmpty: (() => void) | undefined

  /** @throws the error of `listen`, such as EADDRINUSE */
  async listen(host: string, port: number): Promise<number> {
    this.#server.on('connection', (connection) => {
      // Nobody has begun with it, so nobody is to be told.
      connection.on('error', () => connection.destroy())
      this.#waiting.push(connection)
      this.#next()
    })
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Is given connections from now on. */
  add(receiver: Receiver): void {
    this.#idle.push(receiver)
    this.#next()
  }

  /** It has what it was given. */
  taken(receiver: Receiver): void {
    const connection = this.#underWay.get(receiver)
    if (connection === undefined) return
    this.#underWay.delete(receiver)
    // The worker's own hold on it stays.
    connection.destroy()
    this.#idle.push(receiver)
    this.#next()
  }

  /** It is gone; what was under way to it goes to another. */
  remove(receiver: Receiver): void {
    const connection = this.#underWay.get(receiver)
    this.#underWay.delete(receiver)
    if (connection !== undefined) this.#waiting.unshift(connection)
    const at = this.#idle.indexOf(receiver)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#next()
  }

  /** Takes no new connections; resolves when all that were taken are with workers. */
  async close(): Promise<void> {
    await closeUnawaited(this.#server)
    const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve))
    this.#next()
    await empty
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const receiver = this.#idle.shift()
      if (receiver === undefined) break
      const connection = this.#waiting.shift()
      if (connection === undefined || connection.destroyed) {
        this.#idle.unshift(receiver)
        continue
      }
      this.#underWay.set(receiver, connection)
      receiver.give(connection)
    }
    if (this.#onEmpty === undefined || this.#underWay.size > 0) return
    // Whoever still waits then waits for nobody: no worker is left.
    for (const connection of this.#waiting.splice(0)) connection.destroy()
    this.#onEmpty()
  }
}
