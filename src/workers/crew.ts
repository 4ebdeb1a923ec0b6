/** All workers, as many as are wanted: started, told, and replaced when they die. */
import type { Logger } from '../telemetry/logging.js'
import type { Handover } from './handover.js'
import type { Orders, ToWorker } from './messages.js'
import { Pulse } from './pulse.js'
import type { Exit } from './worker-process.js'
import { WorkerProcess } from './worker-process.js'

/** Whoever lived this long did not die of how it was started. */
const LONG_MS = 10_000
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 30_000

export interface CrewOptions {
  readonly count: number
  readonly orders: Omit<Orders, 'worker'>
  readonly handover: Handover
  readonly logger: Logger
  readonly onLog: (lines: string) => void
}

export class Crew {
  readonly count: number
  readonly #options: CrewOptions
  readonly #ready = new Map<number, WorkerProcess>()
  readonly #living = new Set<WorkerProcess>()
  readonly #timers = new Map<number, NodeJS.Timeout>()
  /** How long the next of this number waits. */
  readonly #waits = new Map<number, number>()
  readonly #pulse: Pulse<WorkerProcess>
  #hasBegun = false
  #isRetired = false
  #onBegun: (() => void) | undefined
  #onFailed: ((error: Error) => void) | undefined
  #onGone: (() => void) | undefined

  constructor(options: CrewOptions) {
    this.#options = options
    this.count = options.count
    this.#pulse = new Pulse(
      () => this.#living,
      (worker) => {
        const { number, pid } = worker
        options.logger.error({ worker: number, pid }, 'worker hangs; it is killed')
        worker.kill()
      },
    )
  }

  /** Those that serve, by their numbers. */
  get ready(): readonly WorkerProcess[] {
    return [...this.#ready.values()].toSorted((one, other) => one.number - other.number)
  }

  /**
   * Resolves when all serve.
   * @throws why the first that cannot begin cannot
   */
  async start(): Promise<void> {
    const begun = new Promise<void>((resolve, reject) => {
      this.#onBegun = resolve
      this.#onFailed = reject
    })
    for (let number = 1; number <= this.count; number++) this.#begin(number)
    await begun
    this.#hasBegun = true
  }

  /** Tells those too that have not begun to serve. */
  tell(message: ToWorker): void {
    for (const worker of this.#living) worker.send(message)
  }

  /** From now on nobody is replaced. */
  retire(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#isRetired = true
  }

  /** Resolves when all have ended. */
  async gone(): Promise<void> {
    const gone = new Promise<void>((resolve) => (this.#onGone = resolve))
    if (this.#living.size > 0) await gone
    this.#pulse.close()
  }

  #begin(number: number): void {
    const { orders, handover, logger, onLog } = this.#options
    this.#timers.delete(number)
    let failure: string | undefined
    const worker: WorkerProcess = new WorkerProcess(
      { ...orders, worker: number },
      {
        onLog,
        onReady: () => {
          this.#ready.set(number, worker)
          handover.add(worker)
          logger.info({ worker: number, pid: worker.pid }, 'worker ready')
          if (this.#ready.size === this.count) this.#onBegun?.()
        },
        onFailed: (reason) => (failure = reason),
        onTaken: () => handover.taken(worker),
        onExit: (exit) => {
          this.#living.delete(worker)
          if (this.#ready.get(number) === worker) this.#ready.delete(number)
          handover.remove(worker)
          this.#onEnd(worker, exit, failure)
        },
      },
    )
    this.#living.add(worker)
  }

  #onEnd({ number, startedAt }: WorkerProcess, { code, signal }: Exit, failure?: string): void {
    if (this.#isRetired) {
      if (this.#living.size === 0) this.#onGone?.()
      return
    }
    if (!this.#hasBegun) {
      const reason = failure ?? `it ended with ${signal ?? `code ${code}`}`
      this.#onFailed?.(new Error(`worker ${number} cannot begin: ${reason}`))
      return
    }
    const isOld = performance.now() - startedAt > LONG_MS
    const restartMs = isOld ? 0 : (this.#waits.get(number) ?? 0)
    const next = Math.min(Math.max(restartMs * 2, FIRST_WAIT_MS), LONGEST_WAIT_MS)
    this.#waits.set(number, next)
    const why = failure === undefined ? {} : { reason: failure }
    this.#options.logger.error(
      { worker: number, code, signal, restartMs, ...why },
      'worker died; another takes its place',
    )
    this.#timers.set(
      number,
      setTimeout(() => this.#begin(number), restartMs),
    )
  }
}
