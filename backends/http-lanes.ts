/**
 * The connections to one server, in two lanes. Callers' requests share a limited number of them; streams that stay open, and
 * what the gateway itself says, have their own. On one lane, open streams would leave no connection for calls, and
 * calls that wait for their callers none for the answers.
 */
import type { Dispatcher } from 'undici'
import { Pool } from 'undici'
import { CallLane } from './call-lane.js'
import type { DoorHandler, HttpDoor } from './http-door.js'
import type { Target } from './target.js'
import { tlsConnector } from './upstream-tls.js'

export class HttpLanes implements HttpDoor {
  readonly #target: Target
  readonly #origin: string
  readonly #retiring = new Set<Pool>()
  readonly #calls: CallLane
  #others: Pool

  constructor(target: Target, url: string) {
    this.#target = target
    this.#origin = new URL(url).origin
    this.#calls = new CallLane(target.name, this.#lane(target.circuitBreaker.maxConnections))
    this.#others = this.#lane(null)
  }

  get closed(): boolean {
    return this.#others.closed
  }

  /** For what is no MCP and limited with the calls. */
  get calls(): Pool {
    return this.#calls.pool
  }

  dispatch(
    request: Dispatcher.DispatchOptions,
    handler: DoorHandler,
    _subject: unknown,
    party: string | undefined,
  ): void {
    if (party === undefined) this.#others.dispatch(request, handler)
    else this.#calls.dispatch(request, handler, party)
  }

  /** As `CallLane.makeRoom`. */
  makeRoom(has: number): boolean {
    return this.#calls.makeRoom(has)
  }

  /**
   * New connections from now on: those that were idle may lead nowhere. What is under way goes on, as the server may only
   * be slow.
   */
  renew(): void {
    for (const lane of [this.#calls.pool, this.#others]) {
      this.#retiring.add(lane)
      const drop = (): void => void this.#retiring.delete(lane)
      lane.close().then(drop, drop)
    }
    this.#calls.use(this.#lane(this.#target.circuitBreaker.maxConnections))
    this.#others = this.#lane(null)
  }

  /** Breaks all of them. */
  async destroy(): Promise<void> {
    const lanes = [this.#calls, this.#others, ...this.#retiring]
    await Promise.all(lanes.map((lane) => lane.destroy()))
  }

  #lane(connections: number | null): Pool {
    const { connectMs, idleMs } = this.#target.timeouts
    const { tls } = this.#target
    return new Pool(this.#origin, {
      connections,
      // Deadlines are per call and per stream, and ours; a stream may be silent for hours.
      headersTimeout: 0,
      bodyTimeout: idleMs,
      connect: tls ? tlsConnector(tls, connectMs) : { timeout: connectMs },
    })
  }
}
