/** A wire to a server on which a fault can be laid: on connections, or on the answer to a request of some method. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** What happens to a connection from `rest` of an answer on. Returns what becomes of all that comes later. */
export type Fault = (near: Socket, rest: Buffer) => (more: Buffer) => void

/** `answer`: of it nothing has passed; `body`: its head and a few bytes more. */
export interface Place {
  readonly method: string
  readonly part: 'answer' | 'body'
}

interface Laid {
  readonly fault: Fault
  /** `undefined`: where a connection is made. */
  readonly place: Place | undefined
}

/** Of a body these pass: enough to be in the middle of it, whatever its framing. */
const BODY_BYTES = 24
const MAX_SEEN = 64 * 1024

export class FaultyWire implements AsyncDisposable {
  #far: { readonly host: string; readonly port: number }
  readonly #near = new Set<Socket>()
  readonly #server = createServer((socket) => this.#accept(socket))
  #laid: Laid | undefined
  /** What each method was asked for so far. */
  readonly #asked = new Map<string, number>()
  #hits = 0
  #port = 0

  private constructor(url: string) {
    this.#far = placeOf(url)
  }

  static async start(url: string): Promise<FaultyWire> {
    const wire = new FaultyWire(url)
    await wire.open()
    return wire
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`
  }

  /** How often the fault that was laid has happened. */
  get hits(): number {
    return this.#hits
  }

  /** How often something was asked of the server. */
  asked(method: string): number {
    return this.#asked.get(method) ?? 0
  }

  /** From now on, until `heal`. */
  lay(fault: Fault, place?: Place): void {
    this.#laid = { fault, place }
    this.#hits = 0
  }

  heal(): void {
    this.#laid = undefined
  }

  /** Connections are refused. */
  async shut(): Promise<void> {
    this.#server.close()
    for (const socket of this.#near) socket.resetAndDestroy()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  /** Connections are taken, at the same port as before. */
  async open(url?: string): Promise<void> {
    if (url !== undefined) this.#far = placeOf(url)
    if (this.#server.listening) return
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** All that is open: broken, or for ever silent without a word. */
  breakAll(how: 'reset' | 'silence'): void {
    for (const socket of this.#near) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.removeAllListeners('data').pause()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shut()
  }

  #accept(near: Socket): void {
    this.#near.add(near)
    near.on('error', () => undefined)
    near.once('close', () => this.#near.delete(near))
    if (this.#laid !== undefined && this.#laid.place === undefined) {
      this.#hits++
      this.#laid.fault(near, Buffer.alloc(0))
      return
    }
    const far = connect(this.#far)
    far.on('error', () => undefined)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
    let seen = ''
    let armed: Laid | undefined
    let answer = Buffer.alloc(0)
    near.on('data', (chunk: Buffer) => {
      seen = (seen + chunk.toString('latin1')).slice(-MAX_SEEN)
      const [, method] = /"method":"([^"]+)"/.exec(seen) ?? []
      if (method !== undefined) {
        seen = ''
        this.#asked.set(method, this.asked(method) + 1)
        if (method === this.#laid?.place?.method) armed = this.#laid
      }
      far.write(chunk)
    })
    far.on('data', (chunk: Buffer) => {
      if (near.isPaused()) return
      if (armed === undefined) return void near.write(chunk)
      answer = Buffer.concat([answer, chunk])
      const head = answer.indexOf('\r\n\r\n')
      const passed = armed.place?.part === 'body' ? head + 4 + BODY_BYTES : 0
      if (passed > 0 && (head < 0 || answer.length <= passed)) return
      const [{ fault }, rest] = [armed, answer.subarray(passed)]
      far.removeAllListeners('data')
      near.write(answer.subarray(0, passed))
      this.#hits++
      far.on('data', fault(near, rest))
    })
  }
}

const nothing = (): void => undefined

/** Breaks. */
export const reset: Fault = (near) => {
  near.resetAndDestroy()
  return nothing
}

/** Nothing comes any more, and nobody is told. */
export const silence: Fault = () => nothing

/** Something else comes, and then the end. */
export const garbage: Fault = (near) => {
  near.end('\u0000\u0016\u0003 no HTTP at all \r\n\r\n{"')
  return nothing
}

/** All of it comes, byte by byte. */
export const drip: Fault = (near, rest) => {
  const waiting: number[] = []
  let isDripping = false
  const next = (): void => {
    const byte = waiting.shift()
    isDripping = byte !== undefined && !near.destroyed
    if (byte !== undefined && isDripping) near.write(Buffer.of(byte), () => setImmediate(next))
  }
  const push = (more: Buffer): void => {
    waiting.push(...more)
    if (!isDripping) next()
  }
  push(rest)
  return push
}

function placeOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}
