/** A client of 2025-11-25: a session, in which the server may ask while a call runs. */
import { CAPABILITIES, CLIENT_INFO, resultOf } from './client.js'

export class LegacyClient {
  #wire
  #hearing
  #session = ''
  #version = '2025-11-25'
  #lastId = 0

  /**
   * @param {import('./wire.js').Wire} wire
   * @param {import('./client.js').Hearing} hearing
   */
  constructor(wire, hearing) {
    this.#wire = wire
    this.#hearing = hearing
  }

  /** What the server says of itself. */
  async open() {
    const params = {
      protocolVersion: this.#version,
      capabilities: CAPABILITIES,
      clientInfo: CLIENT_INFO,
    }
    const result = await this.request('initialize', params)
    this.#version = result.protocolVersion
    await this.#notify('notifications/initialized')
    return result
  }

  /** @param {any} params @param {AbortSignal} [signal] */
  async request(method, params, signal) {
    const id = ++this.#lastId
    const withProgress =
      method.endsWith('/list') || method === 'initialize'
        ? params
        : { ...params, _meta: { progressToken: id } }
    let answer
    const onMessage = (message) => {
      if (message.method === undefined) {
        if (message.id === id) answer = message
      } else if (message.id === undefined) this.#hearing.notify(message.method, message.params)
      else void this.#answer(message)
    }
    const cancel = () => void this.#notify('notifications/cancelled', { requestId: id })
    signal?.addEventListener('abort', cancel)
    try {
      const message = { jsonrpc: '2.0', id, method, params: withProgress }
      const session = await this.#wire.send(message, this.#headers(method), onMessage, signal)
      if (session !== null) this.#session = session
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
    return resultOf(answer)
  }

  async close() {
    if (this.#session === '') return
    await this.#wire.send(undefined, this.#headers(''), () => undefined, undefined, 'DELETE')
  }

  async #answer({ id, method, params }) {
    const answer =
      method === 'elicitation/create'
        ? { result: await this.#hearing.ask(method, params) }
        : { error: { code: -32601, message: 'This page cannot be asked for that' } }
    await this.#send({ jsonrpc: '2.0', id, ...answer })
  }

  #notify(method, params = {}) {
    return this.#send({ jsonrpc: '2.0', method, params })
  }

  #send(message) {
    return this.#wire.send(message, this.#headers(''), () => undefined)
  }

  /** @returns {Record<string, string>} */
  #headers(method) {
    if (method === 'initialize') return {}
    return { 'mcp-session-id': this.#session, 'mcp-protocol-version': this.#version }
  }
}
