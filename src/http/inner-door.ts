/**
 * A way into an app without a port: requests of this process's own, over a connection that exists in memory alone. They
 * are HTTP like all others and pass every guard.
 */
import type { HttpBindings } from '@hono/node-server'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import type { IncomingMessage, Server } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'

export interface InnerRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** On whose account, as far as rules about addresses go. */
  readonly remoteAddress: string
  readonly signal: AbortSignal
}

export class InnerDoor {
  readonly #server: Server
  readonly #open = new Set<Duplex>()

  constructor(app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>) {
    const options = { fetch: app.fetch, overrideGlobalObjects: false }
    this.#server = createAdaptorServer(options) as Server
  }

  /** Resolves with the head of the answer. Rejects where there is none. */
  request({ method, path, headers, body, remoteAddress, signal }: InnerRequest) {
    const [ours, theirs] = duplexPair()
    Object.defineProperty(theirs, 'remoteAddress', { value: remoteAddress })
    this.#open.add(ours)
    ours.once('close', () => {
      this.#open.delete(ours)
      theirs.destroy()
    })
    this.#server.emit('connection', theirs)
    return new Promise<IncomingMessage>((resolve, reject) => {
      const length = Buffer.byteLength(body)
      const outgoing = httpRequest(
        {
          method,
          path,
          signal,
          headers: { ...headers, 'content-length': length, connection: 'close' },
          createConnection: () => ours,
        },
        resolve,
      )
      outgoing.once('error', reject)
      outgoing.end(body)
    })
  }

  close(): void {
    for (const connection of this.#open) connection.destroy()
  }
}
