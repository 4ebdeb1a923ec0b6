/** Whether this gateway is to be given requests: what `/readyz` answers. */
import type { Discovery } from '../discovery/index.js'
import type { Federation } from '../federation/index.js'
import type { Readiness } from './http/health.js'
import { readinessOf } from './reports.js'

export class ServiceState {
  readonly #federation: Federation
  readonly #discovery: Discovery
  #wasReady = false
  #isStopping = false

  constructor(federation: Federation, discovery: Discovery) {
    this.#federation = federation
    this.#discovery = discovery
  }

  /** As it is now: whether every source has been read and every target been tried. */
  get isSettled(): boolean {
    return readinessOf(this.#federation.keepers, this.#discovery).ready
  }

  readonly readiness = (): Readiness => {
    const now = readinessOf(this.#federation.keepers, this.#discovery)
    // What comes later, and may be out of reach, is no reason to take a gateway out of service that serves the rest.
    this.#wasReady ||= now.ready
    const isStopping = this.#isStopping
    return { ...now, ready: this.#wasReady && !isStopping, ...(isStopping ? { isStopping } : {}) }
  }

  /** Out of service from now on. */
  stop(): void {
    this.#isStopping = true
  }
}
