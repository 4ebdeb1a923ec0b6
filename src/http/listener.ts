/** A listener: binds an app to a port, and lets go of it without cutting what is still being answered. */
import type { HttpBindings } from '@hono/node-server'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import type { IncomingMessage, Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TlsSettings } from './settings.js'
import type { SecureServer } from './tls.js'
import { followTls, readTls } from './tls.js'

/** Longer than the usual idle time of load balancers, so that they and not we close an idle connection. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000
const IDLE_SWEEP_MS = 50

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
  /** Takes no new connections; resolves when all are gone, or cuts them after `deadlineMs`. */
  close(deadlineMs: number): Promise<void>
}

/** @throws the error of `listen`, such as EADDRINUSE */
export async function listen(
  app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>,
  host: string,
  port: number,
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
  const server = (
    secure === undefined
      ? createAdaptorServer({ ...options, serverOptions })
      : createAdaptorServer({
          ...options,
          createServer: createHttpsServer,
          serverOptions: { ...serverOptions, ...secure },
        })
  ) as Server
  // Node takes a connection for busy until its first request has come.
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', ({ socket }: IncomingMessage) => unused.delete(socket))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const stopFollowing =
    tls === undefined
      ? undefined
      : await followTls(tls.settings, server as unknown as SecureServer, (error) =>
          tls.onChange(error),
        )
  return {
    port: (server.address() as AddressInfo).port,
    close: (deadlineMs) => {
      stopFollowing?.()
      return close(server, unused, deadlineMs)
    },
  }
}

async function close(
  server: Server,
  unused: ReadonlySet<Socket>,
  deadlineMs: number,
): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), deadlineMs)
  // A connection turns idle when its last answer is out; its client would keep it open for reuse.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    for (const socket of unused) socket.destroy()
  })
  clearInterval(sweep)
  clearTimeout(cut)
}
