/** A client that hides nothing: statuses, headers and bytes, over `node:http`. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { JsonObject, JsonValue } from '../../backends/index.js'
import { wholeText, SseReader } from '../../backends/index.js'
import { waitUntil } from './wait-until.js'

export interface RawResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body, or the last message of the stream. */
  readonly json: JsonObject
  /** All messages of a stream. */
  readonly messages: readonly JsonObject[]
}

const DEFAULT_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}

export type Headers = Readonly<Record<string, string | undefined>>

/** A header given as undefined is left out. */
export async function send(
  method: string,
  url: string,
  body: string | undefined,
  headers: Headers = {},
  signal?: AbortSignal,
): Promise<RawResponse> {
  const response = await open(method, url, body, headers, signal)
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) text += String(chunk)
  const messages: JsonObject[] = []
  if (response.headers['content-type'] === 'text/event-stream') {
    reading(messages).push(Buffer.from(text))
  }
  const isJson = response.headers['content-type']?.startsWith('application/json') === true
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: isJson ? parse(text) : (messages.at(-1) ?? {}),
    messages,
  }
}

/** POSTs a message, or text as it is. */
export function post(
  url: string,
  body: unknown,
  headers: Headers = {},
  signal?: AbortSignal,
): Promise<RawResponse> {
  return send('POST', url, typeof body === 'string' ? body : JSON.stringify(body), headers, signal)
}

export function get(url: string, headers: Headers = {}): Promise<RawResponse> {
  return send('GET', url, undefined, headers)
}

export class RawSession {
  readonly url: string
  readonly id: string
  readonly initialized: JsonObject
  readonly headers: Headers
  #lastId = 0

  /** `headers` go with every request. */
  constructor(url: string, id: string, initialized: JsonObject, headers: Headers = {}) {
    this.url = url
    this.id = id
    this.initialized = initialized
    this.headers = { ...headers, 'mcp-session-id': id }
  }

  /** The same session at another process; ids of requests go on, far from those used here. */
  at(url: string): RawSession {
    const moved = new RawSession(url, this.id, this.initialized, this.headers)
    moved.#lastId = this.#lastId + 1_000
    return moved
  }

  request(method: string, params: JsonObject = {}): Promise<RawResponse> {
    return post(this.url, { jsonrpc: '2.0', id: ++this.#lastId, method, params }, this.headers)
  }

  call(name: string, given: JsonObject = {}): Promise<RawResponse> {
    return this.request('tools/call', { name, arguments: given })
  }

  notify(method: string, params: JsonObject = {}): Promise<RawResponse> {
    return post(this.url, { jsonrpc: '2.0', method, params }, this.headers)
  }

  delete(): Promise<RawResponse> {
    return send('DELETE', this.url, undefined, this.headers)
  }

  /** Answers a request of the server's. */
  answer(id: JsonValue, result: JsonObject): Promise<RawResponse> {
    return post(this.url, { jsonrpc: '2.0', id, result }, this.headers)
  }

  /** Answers a request of the server's with an error. */
  refuse(id: JsonValue, error: JsonObject): Promise<RawResponse> {
    return post(this.url, { jsonrpc: '2.0', id, error }, this.headers)
  }

  /** Opens a GET stream, behind an event where one is named, and collects what comes. */
  listen(lastEventId?: string): Promise<Stream> {
    const headers = { ...this.headers, accept: 'text/event-stream', 'last-event-id': lastEventId }
    return follow('GET', this.url, undefined, headers)
  }

  /** Begins a request and collects what comes on its stream. */
  begin(method: string, params: JsonObject): Promise<Stream> {
    return this.beginAs(++this.#lastId, method, params)
  }

  /** The same, under an id of the test's. */
  beginAs(id: number, method: string, params: JsonObject): Promise<Stream> {
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    return follow('POST', this.url, body, this.headers)
  }
}

/** Sends a request and collects what comes in answer, as it comes. */
export async function follow(
  verb: string,
  url: string,
  body: string | undefined,
  headers: Headers,
): Promise<Stream> {
  const response = await open(verb, url, body, headers)
  const messages: JsonObject[] = []
  const ids: string[] = []
  if (response.headers['content-type'] === 'text/event-stream') {
    const reader = reading(messages, ids)
    response.on('data', (chunk: Buffer) => reader.push(chunk))
  } else {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('end', () => messages.push(parse(Buffer.concat(chunks).toString())))
  }
  const ended = new Promise<void>((resolve) => response.once('close', resolve))
  return {
    status: response.statusCode ?? 0,
    messages,
    ids,
    ended,
    next: (method) =>
      waitUntil(() => messages.some((it) => it['method'] === method), `${method} on the stream`),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => response.destroy(),
  }
}

export interface Stream {
  readonly status: number
  readonly messages: readonly JsonObject[]
  /** Ids of the events so far, of those without data too. */
  readonly ids: readonly string[]
  readonly ended: Promise<void>
  next(method: string): Promise<void>
  /** Reads nothing more until `resume`. */
  pause(): void
  resume(): void
  close(): void
}

export const initializeRequest = (protocolVersion = '2025-11-25', id: string | number = 0) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion, capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
})

export async function openSession(
  url: string,
  protocolVersion?: string,
  capabilities: JsonObject = {},
  headers: Headers = {},
): Promise<RawSession> {
  const { params, ...rest } = initializeRequest(protocolVersion)
  const answer = await post(url, { ...rest, params: { ...params, capabilities } }, headers)
  const id = answer.headers['mcp-session-id']
  if (typeof id !== 'string') throw new Error(`no session: ${answer.status} ${answer.text}`)
  const session = new RawSession(url, id, answer.json['result'] as JsonObject, headers)
  await session.notify('notifications/initialized')
  return session
}

function open(
  method: string,
  url: string,
  body: string | undefined,
  headers: Headers,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const given = Object.entries({ ...DEFAULT_HEADERS, ...headers }).filter(
    ([, it]) => it !== undefined,
  )
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      { method, headers: Object.fromEntries(given), ...(signal === undefined ? {} : { signal }) },
      resolve,
    )
    request.on('error', reject)
    request.end(body)
  })
}

function reading(messages: JsonObject[], ids: string[] = []): SseReader {
  return new SseReader(({ id, data }) => {
    if (id !== undefined) ids.push(id)
    if (data !== '') messages.push(parse(wholeText(data)))
  }, 1e9)
}

function parse(text: string): JsonObject {
  return JSON.parse(text) as JsonObject
}
