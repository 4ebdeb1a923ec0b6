/** A client of 2026-07-28 that hides nothing: each request is one POST, whose headers repeat its body unless told otherwise. */
import type { JsonObject } from '../../backends/index.js'
import { nameOf } from '../../backends/index.js'
import type { Headers, RawResponse, Stream } from './raw-client.js'
import { follow, post } from './raw-client.js'

const PREFIX = 'io.modelcontextprotocol/'
export const VERSION = '2026-07-28'

export interface ModernOptions {
  /** Replace what a request says of itself; a member given as undefined is left out. */
  readonly meta?: JsonObject
  readonly capabilities?: JsonObject
  readonly headers?: Headers
  readonly id?: string | number
  /** Breaks the connection. */
  readonly signal?: AbortSignal
}

export class ModernClient {
  readonly url: string
  #lastId = 0

  constructor(url: string) {
    this.url = url
  }

  request(
    method: string,
    params: JsonObject = {},
    options: ModernOptions = {},
  ): Promise<RawResponse> {
    const { body, headers } = this.#parts(method, params, options)
    return post(this.url, body, headers, options.signal)
  }

  call(name: string, given: JsonObject = {}, options: ModernOptions = {}): Promise<RawResponse> {
    return this.request('tools/call', { name, arguments: given }, options)
  }

  /** Begins a request and collects what comes on its stream. */
  begin(method: string, params: JsonObject = {}, options: ModernOptions = {}): Promise<Stream> {
    const { body, headers } = this.#parts(method, params, options)
    return follow('POST', this.url, JSON.stringify(body), headers)
  }

  #parts(method: string, params: JsonObject, options: ModernOptions) {
    return modernMessage(method, params, { ...options, id: options.id ?? ++this.#lastId })
  }
}

/** A request, and the headers that go with it. */
export function modernMessage(
  method: string,
  params: JsonObject,
  { meta, capabilities = {}, headers, id = 0 }: ModernOptions,
) {
  const name = nameOf(method, params)
  const body = {
    jsonrpc: '2.0',
    id,
    method,
    params: {
      ...params,
      _meta: {
        [`${PREFIX}protocolVersion`]: VERSION,
        [`${PREFIX}clientInfo`]: { name: 'modern', version: '1' },
        [`${PREFIX}clientCapabilities`]: capabilities,
        ...meta,
      },
    },
  }
  return {
    body,
    headers: {
      'mcp-protocol-version': VERSION,
      'mcp-method': method,
      'mcp-name': typeof name === 'string' ? encodeURI(name) : undefined,
      ...headers,
    },
  }
}
