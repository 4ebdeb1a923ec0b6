// `node server.mjs NAME ERA PORT`: an MCP server for the soak, on the wire itself and cheap. Every answer names the server and
// gives the mark of its call back. Its lists change, and its one resource, every few seconds. `GET /held` says what it holds.
// Prints a line once it listens.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'

const [name, era, port] = process.argv.slice(2)
const CHANGE_MS = 4_000
const PREFIX = 'io.modelcontextprotocol/'
const LARGE = 'x'.repeat(400_000)
const uri = `soak://${name}`
const tools = ['mark', 'large', 'steps', 'slow', 'ask'].map((it) => ({
  name: it,
  inputSchema: { type: 'object' },
}))
const extra = { name: 'extra', inputSchema: { type: 'object' } }
let hasExtra = false

/** Legacy: by id, the stream that was opened with a GET, and whether it follows the resource. */
const sessions = new Map()
/** Legacy: calls that wait for an answer of their client. */
const asked = new Map()
/** Modern: streams of `subscriptions/listen`, by their response. */
const listens = new Map()
let calls = 0

const text = (mark, more = '') => ({
  content: [{ type: 'text', text: `${name}|${mark}|${more}` }],
  ...(era === 'modern' ? { resultType: 'complete' } : {}),
})
const json = (response, id, result, headers = {}) => {
  const body = JSON.stringify({ jsonrpc: '2.0', id, result })
  const length = Buffer.byteLength(body)
  const head = { 'content-type': 'application/json', 'content-length': length, ...headers }
  response.writeHead(200, head).end(body)
}
const event = (message) => `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`
const stream = (response) => response.writeHead(200, { 'content-type': 'text/event-stream' })
const tools_list = () => ({
  tools: hasExtra ? [...tools, extra] : tools,
  ...(era === 'modern' ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}),
})
const lists = {
  'tools/list': tools_list,
  'resources/list': () => ({ ...tools_list(), tools: undefined, resources: [{ uri, name }] }),
  'resources/templates/list': () => ({ ...tools_list(), tools: undefined, resourceTemplates: [] }),
  'resources/subscribe': () => ({}),
  'resources/unsubscribe': () => ({}),
  ping: () => ({}),
}

const question = (mark) => ({
  message: mark,
  requestedSchema: { type: 'object', properties: { word: { type: 'string' } } },
})

function call({ id, params }, response) {
  const { mark, ms = 0 } = params.arguments ?? {}
  calls++
  switch (params.name) {
    case 'steps':
      stream(response)
      for (let progress = 1; progress <= 3; progress++) {
        const { progressToken } = params._meta
        const told = { progressToken, progress, message: mark }
        response.write(event({ method: 'notifications/progress', params: told }))
      }
      return response.end(event({ id, result: text(mark) }))
    case 'slow':
      return void setTimeout(() => json(response, id, text(mark)), ms)
    case 'large':
      return json(response, id, text(mark, LARGE))
    case 'ask':
      return ask(id, params, mark, response)
    default:
      if (calls % 2 === 0) return json(response, id, text(mark))
      stream(response).end(event({ id, result: text(mark) }))
  }
}

function ask(id, params, mark, response) {
  if (era === 'legacy') {
    const key = randomUUID()
    asked.set(key, { id, mark, response })
    response.once('close', () => asked.delete(key))
    return stream(response).write(
      event({ id: key, method: 'elicitation/create', params: question(mark) }),
    )
  }
  const answer = params.inputResponses?.q
  if (answer !== undefined) return json(response, id, text(mark, answer.content?.word))
  const q = { method: 'elicitation/create', params: { mode: 'form', ...question(mark) } }
  json(response, id, { resultType: 'input_required', inputRequests: { q }, requestState: mark })
}

function legacy(message, request, response) {
  const { id, method } = message
  if (method === 'initialize') {
    const session = randomUUID()
    sessions.set(session, { stream: undefined })
    const capabilities = {
      tools: { listChanged: true },
      resources: { subscribe: true },
      logging: {},
    }
    const serverInfo = { name, version: '1' }
    const result = { protocolVersion: '2025-11-25', capabilities, serverInfo }
    return json(response, id, result, { 'mcp-session-id': session })
  }
  if (!sessions.has(request.headers['mcp-session-id'])) return response.writeHead(404).end()
  if (method === undefined) {
    const waiting = asked.get(id)
    asked.delete(id)
    const word = message.result?.content?.word
    waiting?.response.end(event({ id: waiting.id, result: text(waiting.mark, word) }))
    return response.writeHead(202).end()
  }
  if (id === undefined) return response.writeHead(202).end()
  if (method === 'tools/call') return call(message, response)
  json(response, id, lists[method]?.() ?? {})
}

function modern(message, response) {
  const { id, method, params } = message
  if (method === 'tools/call') return call(message, response)
  if (method === 'server/discover') {
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } }
    const about = {
      supportedVersions: ['2026-07-28'],
      capabilities,
      ttlMs: 0,
      cacheScope: 'private',
    }
    const _meta = { [`${PREFIX}serverInfo`]: { name, version: '1' } }
    return json(response, id, { resultType: 'complete', ...about, _meta })
  }
  if (method === 'subscriptions/listen') {
    const { notifications = {} } = params
    const _meta = { [`${PREFIX}subscriptionId`]: id }
    const acknowledged = 'notifications/subscriptions/acknowledged'
    stream(response).write(event({ method: acknowledged, params: { notifications, _meta } }))
    listens.set(response, id)
    return void response.once('close', () => listens.delete(response))
  }
  const result = lists[method]?.()
  if (result !== undefined) return json(response, id, result)
  const error = { code: -32601, message: 'no such method' }
  response.writeHead(404, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
}

setInterval(() => {
  hasExtra = !hasExtra
  const told = [
    { method: 'notifications/tools/list_changed', params: {} },
    { method: 'notifications/resources/updated', params: { uri } },
  ]
  for (const session of sessions.values()) {
    for (const message of told) session.stream?.write(event(message))
  }
  for (const [response, id] of listens) {
    const _meta = { [`${PREFIX}subscriptionId`]: id }
    for (const { method, params } of told) {
      response.write(event({ method, params: { ...params, _meta } }))
    }
  }
}, CHANGE_MS)

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    if (request.url === '/held') {
      const held = { sessions: sessions.size, asked: asked.size, listens: listens.size, calls }
      return response.end(JSON.stringify(held))
    }
    const session = request.headers['mcp-session-id']
    if (request.method === 'DELETE') {
      sessions.get(session)?.stream?.end()
      sessions.delete(session)
      return response.writeHead(204).end()
    }
    if (request.method === 'GET') {
      const known = sessions.get(session)
      if (era === 'modern' || known === undefined) {
        return response.writeHead(era === 'modern' ? 405 : 404).end()
      }
      known.stream = stream(response)
      response.flushHeaders()
      return void response.once('close', () => (known.stream = undefined))
    }
    const message = JSON.parse(Buffer.concat(chunks).toString())
    if (era === 'legacy') legacy(message, request, response)
    else modern(message, response)
  })
})
server.keepAliveTimeout = 5_000
server.listen(Number(port), '127.0.0.1', () => console.log('listening'))
