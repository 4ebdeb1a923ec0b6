/** How large requests may be: for all, and otherwise for those that are about some servers. */
import type { Target } from '../../backends/index.js'

type Limited = Pick<Target, 'name' | 'maxBodyBytes'>

export class BodyLimits {
  readonly #common: number
  #ofTargets: ReadonlyMap<string, number> = new Map()
  #largest: number
  #smallest: number

  /** `common` holds for everything but what targets say of themselves. */
  constructor(common: number) {
    this.#common = common
    this.#largest = common
    this.#smallest = common
  }

  update(targets: readonly Limited[]): void {
    this.#ofTargets = new Map(
      targets.flatMap(({ name, maxBodyBytes }) =>
        maxBodyBytes === undefined ? [] : [[name, maxBodyBytes] as const],
      ),
    )
    const all = [this.#common, ...this.#ofTargets.values()]
    this.#largest = Math.max(...all)
    this.#smallest = Math.min(...all)
  }

  /** What is within it is within every limit. */
  get smallest(): number {
    return this.#smallest
  }

  /** The limit of what is about this server, or about none. */
  of(target: string | undefined): number {
    return (target === undefined ? undefined : this.#ofTargets.get(target)) ?? this.#common
  }

  /** The most that is read at a path, where nobody knows yet what it is about. */
  atPath(server: string): number {
    const isOne = server !== '' && !server.includes('/')
    return isOne ? this.of(server) : this.#largest
  }
}
