/** A client of 2026-07-28: each request stands for itself, and what the server wants to know comes as its result. */
import { CAPABILITIES, CLIENT_INFO, resultOf } from './client.js'

const VERSION = '2026-07-28'
const PREFIX = 'io.modelcontextprotocol/'
/** A server that asks more often will not come to an end. */
const MAX_ROUNDS = 10
const PAUSE_MS = 200
const NAMED_BY = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' }
const PLAIN = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/

export class ModernClient {
  #wire
  #hearing
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
  open() {
    return this.request('server/discover', {})
  }

  /**
   * @param {any} params
   * @param {AbortSignal} [signal]
   * @param {any} [schema] Of the arguments, which may want some of them in headers.
   */
  async request(method, params, signal, schema) {
    let current = params
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const result = await this.#once(method, current, signal, schema)
      if (result?.resultType !== 'input_required') return result
      const { inputRequests, requestState } = result
      if (inputRequests === undefined) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      const inputResponses = await this.#gather(inputRequests ?? {})
      current = {
        ...params,
        inputResponses,
        ...(requestState === undefined ? {} : { requestState }),
      }
    }
    throw new Error('The server asked for input again and again.')
  }

  async close() {}

  async #once(method, params, signal, schema) {
    const id = ++this.#lastId
    const meta = {
      [`${PREFIX}protocolVersion`]: VERSION,
      [`${PREFIX}clientInfo`]: CLIENT_INFO,
      [`${PREFIX}clientCapabilities`]: CAPABILITIES,
      progressToken: id,
    }
    let answer
    const onMessage = (message) => {
      if (message.method === undefined) answer = message
      else this.#hearing.notify(message.method, message.params)
    }
    const message = { jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }
    await this.#wire.send(message, headersOf(method, params, schema), onMessage, signal)
    return resultOf(answer)
  }

  /** One after the other, as people answer. */
  async #gather(requests) {
    const answers = []
    for (const [key, { method, params }] of Object.entries(requests)) {
      if (method !== 'elicitation/create') {
        throw new Error(`The server wants ${method}, which this page has not.`)
      }
      answers.push([key, await this.#hearing.ask(method, params)])
    }
    return Object.fromEntries(answers)
  }
}

/** @returns {Record<string, string>} */
function headersOf(method, params, schema) {
  const name = params[NAMED_BY[method] ?? '']
  return {
    'mcp-protocol-version': VERSION,
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': encoded(name) }),
    ...paramHeaders(schema, params.arguments),
  }
}

/** The arguments that the schema wants repeated in headers. */
function paramHeaders(schema, given) {
  const headers = {}
  for (const [key, property] of Object.entries(schema?.properties ?? {})) {
    const value = given?.[key]
    const header = property?.['x-mcp-header']
    if (typeof header === 'string' && ['string', 'number', 'boolean'].includes(typeof value)) {
      headers[`mcp-param-${header.toLowerCase()}`] = encoded(String(value))
    } else Object.assign(headers, paramHeaders(property, value))
  }
  return headers
}

/** As a header can hold it. */
function encoded(value) {
  if (PLAIN.test(value) && !value.startsWith('=?base64?')) return value
  const bytes = new TextEncoder().encode(value)
  return `=?base64?${btoa(Array.from(bytes, (it) => String.fromCharCode(it)).join(''))}?=`
}
