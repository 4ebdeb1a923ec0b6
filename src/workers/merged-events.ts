/** `/api/v1/events` of several workers as one stream: what each has for itself, and of what all see the word of one. */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { sseMessage } from '../../backends/index.js'
import type { Answer } from '../http/carried.js'
import type { Asked } from './asked.js'
import type { AdminRequest } from './messages.js'
import { carried } from '../http/carried.js'

/** Workers that have taken the place of others are heard this soon. */
const LOOK_MS = 1_000
/** Where whoever watches does not read. */
const MAX_WAITING_BYTES = 1024 * 1024

interface Watched {
  readonly number: number
  readonly asked: Asked
}

interface Event {
  readonly kind: string
  readonly items?: readonly object[]
}

export class MergedEvents {
  readonly #ready: () => readonly Watched[]
  readonly #request: AdminRequest
  readonly #outgoing: ServerResponse
  readonly #signal: AbortSignal
  /** In the order in which they were heard of; the first speaks for all. */
  readonly #heard = new Set<Watched>()

  /** `ready` says who serves now; `signal` that nobody watches any more. */
  constructor(
    ready: () => readonly Watched[],
    request: AdminRequest,
    outgoing: ServerResponse,
    signal: AbortSignal,
  ) {
    this.#ready = ready
    this.#request = request
    this.#outgoing = outgoing
    this.#signal = signal
  }

  /** `answer` is what the first of them has answered, with 200. */
  start(first: Watched, answer: Answer): void {
    this.#outgoing.writeHead(answer.status, carried(answer.headers))
    this.#outgoing.flushHeaders()
    this.#heard.add(first)
    void this.#follow(first, answer.body)
    this.#look()
    const timer = setInterval(() => this.#look(), LOOK_MS).unref()
    this.#signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  }

  #look(): void {
    for (const worker of this.#ready()) {
      if (this.#heard.has(worker)) continue
      this.#heard.add(worker)
      void this.#listen(worker)
    }
  }

  /** Never rejects. */
  async #listen(worker: Watched): Promise<void> {
    try {
      const { status, body } = await worker.asked.ask(this.#request, this.#signal)
      if (status === 200) return await this.#follow(worker, body)
      body.destroy()
    } catch {
      // It is gone, or nobody watches any more.
    }
    this.#heard.delete(worker)
  }

  /** Never rejects. */
  async #follow(worker: Watched, body: Readable): Promise<void> {
    let rest = ''
    try {
      body.setEncoding('utf8')
      for await (const chunk of body) {
        const frames = (rest + String(chunk)).split(/\r?\n\r?\n/)
        rest = frames.pop() ?? ''
        for (const frame of frames) this.#pass(worker, frame)
      }
    } catch {
      // Its end is told by whoever keeps it; those that are left go on.
    }
    this.#heard.delete(worker)
  }

  #pass(worker: Watched, frame: string): void {
    const [speaker] = this.#heard
    const text = frameOf(frame, worker.number, worker === speaker)
    if (text === undefined || this.#outgoing.destroyed) return
    this.#outgoing.write(text)
    if (this.#outgoing.writableLength > MAX_WAITING_BYTES) this.#outgoing.destroy()
  }
}

/** An event as it goes on; `undefined` where it does not, since whoever speaks for all says it as well. */
function frameOf(frame: string, worker: number, speaksForAll: boolean): string | undefined {
  const [, data] = /^data: (.*)$/m.exec(frame) ?? []
  if (data === undefined) return speaksForAll ? `${frame}\n\n` : undefined
  // It is a worker of ours that has written it.
  const { items = [], ...event } = JSON.parse(data) as Event
  if (event.kind === 'operations' || event.kind === 'denials') {
    return sseMessage(JSON.stringify({ ...event, items: items.map((it) => ({ ...it, worker })) }))
  }
  return speaksForAll || event.kind === 'targets' ? `${frame}\n\n` : undefined
}
