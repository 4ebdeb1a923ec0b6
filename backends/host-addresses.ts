/**
 * Where the host name of a server leads. Connections are kept, so that they would stay for ever at an address that the
 * name no longer leads to, as long as that answers.
 */
import dns from 'node:dns'
import { isIP } from 'node:net'

/** Names of many addresses show some of them each time: one is gone when it was not shown so often in a row. */
const TIMES_MISSED = 2

export class HostAddresses {
  readonly #host: string
  /** How often in a row each was not shown. */
  readonly #missed = new Map<string, number>()

  constructor(url: string) {
    this.#host = new URL(url).hostname
  }

  /**
   * Looks the name up as connections do. Resolves with whether an address is gone that was there before; where there is
   * doubt, missing once is enough. Never rejects: where nobody knows the name, everything stays as it is.
   */
  async look(isInDoubt: boolean): Promise<boolean> {
    const isAddress = isIP(this.#host.replace(/^\[|\]$/g, '')) !== 0
    const shown = isAddress ? [] : await addressesOf(this.#host)
    if (shown.length === 0) return false
    for (const address of shown) this.#missed.set(address, 0)
    let isOneGone = false
    for (const [address, times] of this.#missed) {
      if (shown.includes(address)) continue
      this.#missed.set(address, times + 1)
      if (!isInDoubt && times + 1 < TIMES_MISSED) continue
      this.#missed.delete(address)
      isOneGone = true
    }
    return isOneGone
  }
}

function addressesOf(host: string): Promise<readonly string[]> {
  return new Promise((resolve) => {
    dns.lookup(host, { all: true }, (error, found) => {
      resolve(error === null ? found.map((it) => it.address) : [])
    })
  })
}
