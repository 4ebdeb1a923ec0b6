/** How connections come to a server: from a port of its own, or from another process that listens for it. */
import type { Server } from 'node:http'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'

/** Where connections come faster than they are taken, some are lost. */
const LONGEST_BACKLOG_MS = 1_000

/** Where another process listens for this one, and gives it connections. */
export interface Doorway {
  /** Where the other process listens. */
  readonly port: number
  /** Gives each connection, unread. */
  onConnection(take: (connection: Socket) => void): void
  /** Resolves when the last has been given. */
  readonly ended: Promise<void>
}

export interface Entrance {
  readonly port: number
  /** Resolves when nobody waits to be taken in. */
  readonly lastTaken: () => Promise<void>
  /** Lets nobody in any more; resolves when all are gone. */
  readonly close: () => Promise<void>
}

/** @throws the error of `listen`, such as EADDRINUSE */
export async function ownPort(server: Server, host: string, port: number): Promise<Entrance> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    lastTaken: () => backlogTaken(server),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

export function throughDoorway(server: Server, doorway: Doorway): Entrance {
  const inside = new Set<Socket>()
  let onLeft: (() => void) | undefined
  // From here on Node looks after slow and idle connections.
  server.emit('listening')
  doorway.onConnection((connection) => {
    inside.add(connection)
    connection.once('close', () => {
      inside.delete(connection)
      if (inside.size === 0) onLeft?.()
    })
    // As Node makes them for a server that listens.
    connection.allowHalfOpen = true
    connection.setNoDelay(true)
    server.emit('connection', connection)
    // It was not to be read before somebody is there who reads it.
    connection.resume()
  })
  return {
    port: doorway.port,
    lastTaken: () => doorway.ended,
    close: async () => {
      const left = new Promise<void>((resolve) => (onLeft = resolve))
      server.close()
      if (inside.size > 0) await left
    },
  }
}

/**
 * Resolves when nobody waits to be taken in: the system breaks those connections, on which requests may have been sent,
 * when a listener is closed. Node takes one in each round of its loop, so the first round without is the end.
 */
export async function backlogTaken(server: NetServer): Promise<void> {
  let taken = 0
  const count = (): void => void taken++
  server.on('connection', count)
  const until = performance.now() + LONGEST_BACKLOG_MS
  let before: number
  do {
    before = taken
    await nextRound()
  } while (taken > before && performance.now() < until)
  server.off('connection', count)
}

/** When what has come to all sockets has been seen once. */
async function nextRound(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))
}
