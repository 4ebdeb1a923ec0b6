/** Live configuration: what is on disk is applied as a validated whole, or refused whole with the old one still serving. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from './schema.js'

export interface ReloaderOptions {
  readonly load: () => Promise<Config>
  readonly apply: (config: Config) => void
  readonly onApplied: (config: Config, before: Config) => void
  /** The configuration on disk cannot be used; the one before goes on serving. */
  readonly onRefused: (error: unknown) => void
}

export class Reloader {
  readonly #options: ReloaderOptions
  #current: Config
  #running: Promise<void> = Promise.resolve()

  constructor(current: Config, options: ReloaderOptions) {
    this.#current = current
    this.#options = options
  }

  /** Looks at what is on disk and applies it where it differs. One at a time, in the order asked for; never rejects. */
  reload(): Promise<void> {
    this.#running = this.#running.then(() => this.#reload())
    return this.#running
  }

  async #reload(): Promise<void> {
    const { load, apply, onApplied, onRefused } = this.#options
    try {
      const config = await load()
      if (isDeepStrictEqual(config, this.#current)) return
      const before = this.#current
      apply(config)
      this.#current = config
      onApplied(config, before)
    } catch (error) {
      onRefused(error)
    }
  }
}
