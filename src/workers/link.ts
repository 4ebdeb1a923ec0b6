/** A worker's end of what ties it to the primary: what that says is done, and what it asks is answered. */
import type { Socket } from 'node:net'
import type { TalliesFor } from '../admin/traffic.js'
import type { AdminApp } from '../http/admin-listener.js'
import { Answers } from './answers.js'
import type { FromWorker, ToWorker } from './messages.js'

export class Link {
  /** The primary has said that this worker is to stop. */
  readonly stopped: Promise<void>
  /** The last connection has been given. */
  readonly ended: Promise<void>
  readonly #port: number
  #onStop: (() => void) | undefined
  #onEnded: (() => void) | undefined
  #onConfig: ((isGood: boolean) => void) | undefined
  #take: ((connection: Socket) => void) | undefined
  #answers: Answers | undefined

  /** `port`: the one that the primary listens at. */
  constructor(port: number) {
    this.#port = port
    this.stopped = new Promise((resolve) => (this.#onStop = resolve))
    this.ended = new Promise((resolve) => (this.#onEnded = resolve))
    process.on('message', (message: ToWorker, connection?: Socket) =>
      this.#onMessage(message, connection),
    )
  }

  /** Where clients, and requests to the admin listener, come in. */
  get doorway() {
    return {
      port: this.#port,
      ended: this.ended,
      onConnection: (take: (connection: Socket) => void): void => {
        this.#take = take
      },
      onAdmin: (app: AdminApp, tallies: TalliesFor): void => {
        this.#answers = new Answers(app, tallies, (reply) => this.tell(reply))
      },
    }
  }

  /** `onConfig` is told that the configuration on disk is another, and whether it can be used. */
  follow(onConfig: (isGood: boolean) => void): void {
    this.#onConfig = onConfig
  }

  tell(message: FromWorker, onSent: () => void = ignore): void {
    // Without the primary this process ends at once.
    if (process.connected) process.send?.(message, onSent)
  }

  close(): void {
    this.#answers?.close()
  }

  #onMessage(message: ToWorker, connection: Socket | undefined): void {
    switch (message.kind) {
      case 'connection':
        this.tell({ kind: 'taken' })
        // Closed by its client meanwhile, it does not arrive.
        if (connection !== undefined) this.#take?.(connection)
        break
      case 'beat':
        this.tell({ kind: 'beat' })
        break
      case 'reload':
      case 'refused':
        this.#onConfig?.(message.kind === 'reload')
        break
      case 'stop':
        this.#onStop?.()
        break
      case 'ended':
        this.#onEnded?.()
        break
      case 'ask':
        void this.#answers?.answer(message.id, message.request)
        break
      case 'tally':
        this.#answers?.tally(message.id, message.report, message.now)
        break
      case 'abort':
        this.#answers?.abort(message.id)
        break
      case 'start':
        break
    }
  }
}

/** A message that does not arrive has nobody left to arrive at. */
function ignore(): void {}
