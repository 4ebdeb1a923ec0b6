/** The primary's side of requests to the admin listener that a worker answers: HTTP, carried by messages. */
import { PassThrough } from 'node:stream'
import { json } from 'node:stream/consumers'
import type { TalliedReport, Tallies } from '../admin/traffic.js'
import type { Answer } from '../http/carried.js'
import type { AdminRequest, Reply, ToWorker } from './messages.js'

/** Where whoever asked reads slower than the worker answers. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

interface Pending {
  readonly body: PassThrough
  readonly onHead: (answer: Answer) => void
  readonly onBroken: (error: Error) => void
}

export class Asked {
  readonly #send: (message: ToWorker) => void
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  constructor(send: (message: ToWorker) => void) {
    this.#send = send
  }

  /** Resolves with the head of the answer. Rejects where the worker is gone, or `signal` says so. */
  ask(request: AdminRequest, signal: AbortSignal): Promise<Answer> {
    return this.#begin((id) => ({ kind: 'ask', id, request }), signal)
  }

  /** What a report is made of, at that time. Rejects as `ask`. */
  async tallies(report: TalliedReport, now: number, signal: AbortSignal): Promise<Tallies> {
    const { body } = await this.#begin((id) => ({ kind: 'tally', id, report, now }), signal)
    return (await json(body)) as Tallies
  }

  #begin(message: (id: number) => ToWorker, signal: AbortSignal): Promise<Answer> {
    const id = ++this.#lastId
    const body = new PassThrough()
    const giveUp = (): void => {
      if (!this.#pending.has(id)) return
      this.#break(id, new Error('the request was given up'))
      this.#send({ kind: 'abort', id })
    }
    signal.addEventListener('abort', giveUp, { once: true })
    body.once('close', () => {
      signal.removeEventListener('abort', giveUp)
      giveUp()
    })
    // Whoever reads it is told; before, `ask` rejects.
    body.on('error', () => undefined)
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { body, onHead: resolve, onBroken: reject })
      this.#send(message(id))
    })
  }

  onReply(reply: Reply): void {
    const pending = this.#pending.get(reply.id)
    if (pending === undefined) return
    const { body, onHead } = pending
    switch (reply.kind) {
      case 'head':
        onHead({ status: reply.status, headers: reply.headers, body })
        break
      case 'chunk':
        body.write(reply.data)
        if (body.writableLength > MAX_WAITING_BYTES) body.destroy()
        break
      case 'end':
        if (reply.isBroken) return this.#break(reply.id, new Error('the answer was broken off'))
        this.#pending.delete(reply.id)
        body.end()
        break
    }
  }

  /** The worker is gone. */
  close(): void {
    for (const id of this.#pending.keys()) this.#break(id, new Error('the worker is gone'))
  }

  #break(id: number, error: Error): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    pending.onBroken(error)
    pending.body.destroy(error)
  }
}
