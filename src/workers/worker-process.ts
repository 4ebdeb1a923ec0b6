/** One worker, as the primary knows it: a child process that is given connections and answers of itself. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Asked } from './asked.js'
import type { Receiver } from './handover.js'
import { LineRelay } from './line-relay.js'
import type { FromWorker, Orders, ToWorker } from './messages.js'
import type { Beating } from './pulse.js'

const PROGRAM = fileURLToPath(new URL('worker.js', import.meta.url))

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface WorkerEvents {
  readonly onReady: () => void
  readonly onFailed: (reason: string) => void
  readonly onTaken: () => void
  readonly onExit: (exit: Exit) => void
  /** Whole lines, without the end of the last. */
  readonly onLog: (lines: string) => void
}

export class WorkerProcess implements Receiver, Beating {
  readonly number: number
  readonly startedAt = performance.now()
  readonly asked = new Asked((message) => this.send(message))
  readonly #child: ChildProcess
  #unanswered = 0

  constructor(orders: Orders, { onReady, onFailed, onTaken, onExit, onLog }: WorkerEvents) {
    this.number = orders.worker
    this.#child = fork(PROGRAM, [], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    const lines = new LineRelay(onLog)
    this.#child.stdout?.on('data', (chunk: Buffer) => lines.push(chunk))
    this.#child.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'ready':
          return onReady()
        case 'failed':
          return onFailed(message.reason)
        case 'taken':
          return onTaken()
        case 'beat':
          return this.forgive()
        default:
          return this.asked.onReply(message)
      }
    })
    let hasEnded = false
    const end = (exit: Exit): void => {
      if (hasEnded) return
      hasEnded = true
      this.asked.close()
      onExit(exit)
    }
    // After the last of what it wrote.
    this.#child.once('close', (code: number | null, signal: NodeJS.Signals | null) =>
      end({ code, signal }),
    )
    this.#child.on('error', (error) => {
      onFailed(error.message)
      if (this.#child.pid === undefined) end({ code: null, signal: null })
    })
    this.send({ kind: 'start', orders })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Nothing where it is gone: that is told by `onExit`. */
  send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  give(connection: Socket): void {
    const message: ToWorker = { kind: 'connection' }
    this.#child.send(message, connection, { keepOpen: true }, () => undefined)
  }

  beat(): number {
    this.send({ kind: 'beat' })
    return this.#unanswered++
  }

  forgive(): void {
    this.#unanswered = 0
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
