/** One MCP request at a time to the gateway's own endpoint, by way of the admin listener; every message is shown. */
import { readMessages } from '../lib/api.js'

export class Wire {
  #api
  #server
  #credential
  #onRaw

  /**
   * @param {import('../lib/api.js').Api} api
   * @param {string} server A target; '' for everything.
   * @param {Record<string, string>} credential A header, or nothing.
   * @param {(direction: 'sent' | 'received', text: string, detail: string) => void} onRaw
   */
  constructor(api, server, credential, onRaw) {
    this.#api = api
    this.#server = server
    this.#credential = credential
    this.#onRaw = onRaw
  }

  /**
   * Sends one message, and passes on every message that comes in answer.
   * @param {any} message
   * @param {Record<string, string>} headers
   * @param {(message: any) => void} onMessage
   * @param {AbortSignal} [signal]
   * @param {'POST' | 'DELETE'} [method]
   * @returns {Promise<string | null>} The session that the answer names.
   */
  async send(message, headers, onMessage, signal, method = 'POST') {
    const body = message === undefined ? '' : JSON.stringify(message)
    this.#onRaw('sent', body, detailOf({ '': method, ...headers }))
    const accept = { accept: 'application/json, text/event-stream' }
    const type = { 'content-type': 'application/json' }
    const all = { ...accept, ...type, ...headers, ...this.#credential }
    const response = await this.#api.post(
      'playground',
      { server: this.#server, method, headers: all, body },
      signal,
    )
    const status = Number(response.headers.get('x-junction-status'))
    const receive = (received) => {
      this.#onRaw('received', JSON.stringify(received), `HTTP ${status}`)
      onMessage(received)
    }
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      await readMessages(response, receive)
    } else await this.#readWhole(response, status, receive)
    return response.headers.get('mcp-session-id')
  }

  async #readWhole(response, status, receive) {
    const text = await response.text()
    let value
    try {
      value = text === '' ? undefined : JSON.parse(text)
    } catch {
      this.#onRaw('received', text, `HTTP ${status}`)
    }
    if (value !== undefined) receive(value)
    else if (text === '') this.#onRaw('received', '', `HTTP ${status}`)
    if (status >= 400 && value?.id === undefined) {
      throw new Error(
        `HTTP ${status}: ${value?.error?.message ?? value?.error ?? text.slice(0, 200)}`,
      )
    }
  }
}

/** The headers that say something of MCP; a session's id is as good as a key, and is not shown whole. */
function detailOf(headers) {
  return Object.entries(headers)
    .map(([name, value]) =>
      name === 'mcp-session-id'
        ? `${name}: ${value.slice(0, 8)}…`
        : name === ''
          ? value
          : `${name}: ${value}`,
    )
    .join(' · ')
}
