/**
 * The connections of one server that callers' requests share. Where none is free callers take turns, so that nobody waits
 * for all that another has waiting. While one is, this is a single look at a flag.
 */
import type { Dispatcher, Pool } from 'undici'
import { BackendOverloadedError, BackendUnreachableError } from './errors.js'
import type { DoorHandler } from './http-door.js'
import { NO_CONTROLLER } from './http-door.js'
import type { TargetName } from './target.js'
import { Turns } from './turns.js'

interface Waiting {
  readonly request: Dispatcher.DispatchOptions
  readonly handler: DoorHandler
}

export class CallLane {
  readonly #target: TargetName
  readonly #turns = new Turns<Waiting>()
  #pool: Pool
  #isFull = false

  constructor(target: TargetName, pool: Pool) {
    this.#target = target
    this.#pool = pool
    this.#follow(pool)
  }

  get pool(): Pool {
    return this.#pool
  }

  /** Sends it now, or when it is this party's turn. */
  dispatch(request: Dispatcher.DispatchOptions, handler: DoorHandler, party: string): void {
    if (!this.#isFull) return this.#send(request, handler)
    handler.onWaiting?.(this.#turns.add(party, { request, handler }))
  }

  /** Gives one up that waits, of a party that has more than so many and one. Returns whether there was one. */
  makeRoom(has: number): boolean {
    const waiting = this.#turns.pushOut(has + 1)
    if (waiting === undefined) return false
    const message =
      'others wait as well, and this caller has more waiting than they; call again later'
    waiting.handler.onResponseError?.(
      NO_CONTROLLER,
      new BackendOverloadedError(this.#target, message),
    )
    return true
  }

  /** Other connections from now on; whoever waits does so for these. */
  use(pool: Pool): void {
    this.#pool = pool
    this.#follow(pool)
    this.#fill()
  }

  /** Fails all that wait. */
  async destroy(): Promise<void> {
    // Nothing waits any more: what comes is told so by what is destroyed.
    this.#isFull = false
    for (let it = this.#turns.next(); it !== undefined; it = this.#turns.next()) {
      const error = new BackendUnreachableError(this.#target, 'it is no longer called', false)
      it.handler.onResponseError?.(NO_CONTROLLER, error)
    }
    await this.#pool.destroy()
  }

  #follow(pool: Pool): void {
    // A connection is free again, after there was none.
    pool.on('drain', () => {
      if (pool === this.#pool) this.#fill()
    })
  }

  #fill(): void {
    this.#isFull = false
    while (!this.#isFull) {
      const waiting = this.#turns.next()
      if (waiting === undefined) return
      this.#send(waiting.request, waiting.handler)
    }
  }

  #send(request: Dispatcher.DispatchOptions, handler: DoorHandler): void {
    // One that is destroyed takes nothing and will never have room; it says so to the handler.
    this.#isFull = !this.#pool.dispatch(request, handler) && !this.#pool.destroyed
  }
}
