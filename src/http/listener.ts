/** A listener: binds an app to a port, and lets go of it without cutting what is still being answered. */
import type { HttpBindings } from '@hono/node-server'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { App } from './app.js'
import type { Doorway, Entrance } from './entrance.js'
import { letGo, ownPort, throughDoorway } from './entrance.js'
import type { TlsSettings } from './settings.js'
import type { SecureServer } from './tls.js'
import { followTls, readTls } from './tls.js'

/** Longer than the usual idle time of load balancers, so that they and not we close an idle connection. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000
/** A client that connects sends its request at once; one that does not connects in advance. */
const FIRST_REQUEST_MS = 500

/** How long a request may take to arrive, before its connection is closed with 408; answers take what they take. */
export interface Patience {
  readonly headersMs: number
  /** With the body. */
  readonly requestMs: number
  /** How often connections are looked at. */
  readonly checkMs: number
}

const PATIENCE: Patience = { headersMs: 20_000, requestMs: 60_000, checkMs: 5000 }

export interface ListenerTls {
  readonly settings: TlsSettings
  /** The files hold something else, or, with an error, something that cannot be used. */
  onChange(error?: unknown): void
}

export interface Listener {
  readonly port: number
  /** From now on each answer is the last on its connection, so that connections move elsewhere by themselves. */
  drain(): void
  /** Takes no new connections; resolves when all are gone, or cuts them after `deadlineMs`. */
  close(deadlineMs: number): Promise<void>
}

interface Unused {
  readonly socket: Socket
  readonly since: number
}

/**
 * `place`: the port, or where connections come from.
 * @throws the error of `listen`, such as EADDRINUSE
 */
export async function listen(
  app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'> & Partial<Pick<App, 'direct'>>,
  host: string,
  place: number | Doorway,
  tls?: ListenerTls,
  patience: Patience = PATIENCE,
): Promise<Listener> {
  const secure = tls === undefined ? undefined : await readTls(tls.settings)
  const options = { fetch: app.fetch, overrideGlobalObjects: false }
  const serverOptions = {
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: patience.checkMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  }
  // The adapter's types allow for HTTP/2; it makes an HTTP/1.1 server of what it is given here.
  const server = createAdaptorServer({
    ...options,
    createServer: (_: object, routes: RequestListener) => {
      const listener: RequestListener = (request, response) => {
        if (app.direct?.(request, response) !== true) routes(request, response)
      }
      return secure === undefined
        ? createHttpServer(serverOptions, listener)
        : createHttpsServer({ ...serverOptions, ...secure }, listener)
    },
  } as Parameters<typeof createAdaptorServer>[0]) as Server
  // Node takes a connection for busy until its first request has come. Under TLS requests show another socket than the
  // connection's, with the same peer.
  const unused: Map<Socket | string, Unused> = new Map()
  const keyOf = (socket: Socket): Socket | string =>
    secure === undefined ? socket : peerOf(socket)
  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket)
    unused.set(key, { socket, since: performance.now() })
    socket.once('close', () => {
      if (unused.get(key)?.socket === socket) unused.delete(key)
    })
  })
  let isDraining = false
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (unused.size > 0) unused.delete(keyOf(socket))
    if (isDraining) response.shouldKeepAlive = false
  })
  const entrance =
    typeof place === 'number' ? await ownPort(server, host, place) : throughDoorway(server, place)
  const stopFollowing =
    tls === undefined
      ? undefined
      : await followTls(tls.settings, server as unknown as SecureServer, (error) =>
          tls.onChange(error),
        )
  return {
    port: entrance.port,
    drain: () => {
      isDraining = true
    },
    close: (deadlineMs) => {
      isDraining = true
      stopFollowing?.()
      return close(server, entrance, unused, deadlineMs)
    },
  }
}

async function close(
  server: Server,
  entrance: Entrance,
  unused: ReadonlyMap<Socket | string, Unused>,
  deadlineMs: number,
): Promise<void> {
  await entrance.shut()
  await letGo(server, entrance.left(), deadlineMs, () => {
    const before = performance.now() - FIRST_REQUEST_MS
    for (const { socket, since } of unused.values()) if (since < before) socket.destroy()
  })
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
