/** A wire that can be cut, or fall silent without a word, between a client and a real server. */
import { once } from 'node:events'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

export class TcpProxy implements AsyncDisposable {
  #target: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => this.#accept(socket))
  #isCut = false
  port = 0

  private constructor(url: string) {
    this.#target = placeOf(url)
  }

  /** `at` is another place to listen at than a free port of 127.0.0.1. */
  static async start(url: string, at: ListenOptions = {}): Promise<TcpProxy> {
    const proxy = new TcpProxy(url)
    proxy.#server.listen({ host: '127.0.0.1', port: 0, ...at })
    await once(proxy.#server, 'listening')
    proxy.port = (proxy.#server.address() as AddressInfo).port
    return proxy
  }

  /** Of both sides. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Breaks what is open, and whatever comes. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Leads to another server from now on, where one is named. */
  mend(url?: string): void {
    this.#isCut = false
    if (url !== undefined) this.#target = placeOf(url)
  }

  /** Nothing passes any more on what is open, and nobody is told. */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe().pause()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    if (this.#isCut) {
      socket.destroy()
      return
    }
    const upstream = connect(this.#target)
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      this.#sockets.add(one)
      one.pipe(other)
      one.on('error', () => undefined)
      one.once('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
  }
}

function placeOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}
