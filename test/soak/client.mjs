// Clients of both eras for the soak: as cheap as can be, and with nothing hidden.
import { Agent, request as httpRequest } from 'node:http'

const PREFIX = 'io.modelcontextprotocol/'
const MODERN = '2026-07-28'
const clientInfo = { name: 'soak', version: '1' }
const calls = new Agent({ keepAlive: true, maxSockets: 64 })

/** Connections that nobody needs are closed. */
export const hangUp = () => calls.destroy()

/**
 * Sends a request, and resolves with its answer once that has ended; each message is told as it comes. `given.onResponse`
 * gets the response itself, before any of it is read.
 */
function send(url, method, headers, message, given = {}) {
  const { onMessage = () => undefined, onResponse, agent = calls, signal } = given
  return new Promise((resolve, reject) => {
    const body = message === undefined ? undefined : JSON.stringify(message)
    const head = { accept: 'application/json, text/event-stream', ...headers }
    if (body !== undefined) {
      head['content-type'] = 'application/json'
      head['content-length'] = Buffer.byteLength(body)
    }
    const request = httpRequest(url, { method, headers: head, agent, signal }, (response) => {
      const messages = []
      const isStream = response.headers['content-type'] === 'text/event-stream'
      let text = ''
      const take = (json) => {
        const it = JSON.parse(json)
        messages.push(it)
        onMessage(it)
      }
      onResponse?.(response)
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
        if (!isStream) return
        const events = text.split(/\r?\n\r?\n/)
        text = events.pop()
        for (const event of events) {
          const data = /^data: ?(.*)$/m.exec(event)?.[1]
          if (data) take(data)
        }
      })
      response.on('end', () => {
        if (!isStream && text !== '') take(text)
        resolve({ status: response.statusCode, headers: response.headers, messages })
      })
      response.on('error', reject)
      response.on('aborted', () => reject(new Error('the answer broke off')))
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** The answer to a request: the last message, which has to be of its id. */
function answerTo(id, { status, messages }) {
  const last = messages.findLast((it) => it.id === id && it.method === undefined)
  const strange = messages.find((it) => it.method === undefined && it.id !== id && it.id != null)
  if (strange !== undefined) throw new Violation(`an answer to ${strange.id} came to ${id}`)
  if (last !== undefined) return last
  const refusal = messages.find((it) => it.error !== undefined)
  return { error: refusal?.error ?? { message: `HTTP ${status} without an answer` }, status }
}

/** What must never be. */
export class Violation extends Error {}

let lastId = 0

export class LegacyClient {
  era = 'legacy'
  #url
  #headers
  #streams = new Set()

  constructor(url, session, capabilities) {
    this.#url = url
    this.#headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
    this.capabilities = capabilities
  }

  static async open(url, capabilities) {
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo }
    const message = { jsonrpc: '2.0', id: 0, method: 'initialize', params }
    const { status, headers } = await send(url, 'POST', {}, message)
    if (status !== 200) throw new Error(`initialize: HTTP ${status}`)
    const client = new LegacyClient(url, headers['mcp-session-id'], capabilities)
    await client.notify('notifications/initialized', {})
    return client
  }

  get streams() {
    return this.#streams.size
  }

  async request(method, params, { id = ++lastId, ...given } = {}) {
    const message = { jsonrpc: '2.0', id, method, params }
    return answerTo(id, await send(this.#url, 'POST', this.#headers, message, given))
  }

  notify(method, params) {
    return send(this.#url, 'POST', this.#headers, { jsonrpc: '2.0', method, params })
  }

  answer(id, result) {
    return send(this.#url, 'POST', this.#headers, { jsonrpc: '2.0', id, result })
  }

  /** Opens a general stream; resolves when it is open. */
  listen(onMessage) {
    return this.#open('GET', undefined, onMessage)
  }

  #open(method, message, onMessage) {
    return opened(this.#streams, (given) =>
      send(this.#url, method, this.#headers, message, { ...given, onMessage }),
    )
  }

  closeStream() {
    for (const stop of this.#streams) return stop()
  }

  async end() {
    for (const stop of this.#streams) stop()
    return send(this.#url, 'DELETE', this.#headers)
  }
}

export class ModernClient {
  era = 'modern'
  #url
  #streams = new Set()

  constructor(url, capabilities) {
    this.#url = url
    this.capabilities = capabilities
  }

  get streams() {
    return this.#streams.size
  }

  async request(method, params, { id = ++lastId, ...given } = {}) {
    const { message, headers } = this.#message(id, method, params)
    return answerTo(id, await send(this.#url, 'POST', headers, message, given))
  }

  listen(onMessage, uris = []) {
    const notifications = { toolsListChanged: true, resourceSubscriptions: uris }
    const { message, headers } = this.#message(++lastId, 'subscriptions/listen', { notifications })
    return opened(this.#streams, (given) =>
      send(this.#url, 'POST', headers, message, { ...given, onMessage }),
    )
  }

  closeStream() {
    for (const stop of this.#streams) return stop()
  }

  async end() {
    for (const stop of this.#streams) stop()
  }

  #message(id, method, params) {
    const _meta = {
      ...params._meta,
      [`${PREFIX}protocolVersion`]: MODERN,
      [`${PREFIX}clientInfo`]: clientInfo,
      [`${PREFIX}clientCapabilities`]: this.capabilities,
    }
    const name = params.name ?? params.uri
    const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': method }
    if (name !== undefined) headers['mcp-name'] = name
    return { message: { jsonrpc: '2.0', id, method, params: { ...params, _meta } }, headers }
  }
}

/** A stream that stays open until it is stopped: resolves with its status once that is known. */
function opened(streams, open) {
  const stopping = new AbortController()
  const stop = () => {
    streams.delete(stop)
    stopping.abort()
  }
  streams.add(stop)
  return new Promise((resolve) => {
    const onResponse = ({ statusCode }) => resolve(statusCode)
    open({ agent: false, signal: stopping.signal, onResponse })
      .catch(() => undefined)
      .finally(() => {
        streams.delete(stop)
        resolve(0)
      })
  })
}
