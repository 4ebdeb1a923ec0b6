/** A worker's side of requests to the admin listener: they come as messages, and go through the app as all others would. */
import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import type { TalliedReport, TalliesFor } from '../admin/traffic.js'
import { InnerDoor } from '../http/inner-door.js'
import type { AdminRequest, Reply } from './messages.js'

export class Answers {
  readonly #door: InnerDoor
  readonly #send: (reply: Reply) => void
  readonly #tallies: TalliesFor
  readonly #running = new Map<number, AbortController>()

  constructor(
    app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>,
    tallies: TalliesFor,
    send: (reply: Reply) => void,
  ) {
    this.#door = new InnerDoor(app)
    this.#tallies = tallies
    this.#send = send
  }

  /** Never rejects: what goes wrong is told to whoever asked. */
  async answer(id: number, request: AdminRequest): Promise<void> {
    const running = new AbortController()
    this.#running.set(id, running)
    try {
      const response = await this.#door.request({ ...request, signal: running.signal })
      const { statusCode: status = 500, headers } = response
      this.#send({ kind: 'head', id, status, headers })
      for await (const data of response) {
        this.#send({ kind: 'chunk', id, data: data as Uint8Array })
      }
      this.#send({ kind: 'end', id, isBroken: false })
    } catch {
      this.#send({ kind: 'end', id, isBroken: true })
    } finally {
      this.#running.delete(id)
    }
  }

  tally(id: number, report: TalliedReport, now: number): void {
    const data = Buffer.from(JSON.stringify(this.#tallies(report, now)))
    this.#send({ kind: 'head', id, status: 200, headers: {} })
    this.#send({ kind: 'chunk', id, data })
    this.#send({ kind: 'end', id, isBroken: false })
  }

  abort(id: number): void {
    this.#running.get(id)?.abort()
  }

  close(): void {
    this.#door.close()
  }
}
