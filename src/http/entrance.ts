/** How connections come to a server: from a port of its own, or from another process that listens for it. */
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Server as NetServer } from 'node:net'

/** Where connections come faster than they are taken, some are lost. */
const LONGEST_BACKLOG_MS = 1_000
/** A round of the event loop in which nothing else ran takes a fifth of this. */
const SHORT_ROUND_MS = 0.1
const IDLE_SWEEP_MS = 50

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
  /** Lets nobody in any more, once nobody waits to be taken in. */
  readonly shut: () => Promise<void>
  /** After that: resolves when all are gone. */
  readonly left: () => Promise<void>
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
  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    shut: () => closeUnawaited(server),
    left: () => {
      server.close()
      return closed
    },
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
    shut: () => doorway.ended,
    left: async () => {
      const left = new Promise<void>((resolve) => (onLeft = resolve))
      server.close()
      if (inside.size > 0) await left
    },
  }
}

/**
 * Closes the connections of a server that takes no more, each as soon as nothing runs on it, and all after `deadlineMs`.
 * Resolves when `left` does.
 */
export async function letGo(
  server: Server,
  left: Promise<void>,
  deadlineMs: number,
  onSweep?: () => void,
): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), deadlineMs)
  const sweep = setInterval(() => {
    // After all that has come has been read, for a request on its way to an idle connection would be lost with it.
    setImmediate(() => server.closeIdleConnections())
    onSweep?.()
  }, IDLE_SWEEP_MS)
  await left
  clearInterval(sweep)
  clearTimeout(cut)
}

/**
 * Closes a listener in a moment in which nobody waits to be taken in; resolves then, when connections may still be open. The
 * system breaks connections that wait, on which requests may have been sent. Node takes one in each round of its loop; who
 * comes after the loop has looked is not seen, so that has to have been just now, and nothing else is done before: of 100
 * listeners closed at 700 connections a second one to five broke one, and twelve where any round was good enough.
 */
export function closeUnawaited(server: NetServer): Promise<void> {
  let taken = 0
  const count = (): void => void taken++
  server.on('connection', count)
  // What runs for the first time takes longer than the rest of that moment; this one listens nowhere.
  NetServer.prototype.close.call(new NetServer())
  const until = performance.now() + LONGEST_BACKLOG_MS
  return new Promise((resolve) => {
    let before = { taken: -1, now: 0 }
    const round = (): void => {
      const now = performance.now()
      const isUnawaited = taken === before.taken && now - before.now < SHORT_ROUND_MS
      if (!isUnawaited && now < until) {
        before = { taken, now }
        setImmediate(round)
        return
      }
      // Not as a server of HTTP closes, which first sees to all its connections.
      NetServer.prototype.close.call(server)
      server.off('connection', count)
      resolve()
    }
    setImmediate(round)
  })
}
