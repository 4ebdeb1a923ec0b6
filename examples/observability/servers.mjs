// MCP servers in one process: "search", which is slow now and then, "tickets", which fails now and then, and "translate",
// of which there is a next release.
// Nothing in them knows of metrics or traces. `node servers.mjs [port] [host]` prints `listening URL`.
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2)
const between = (from, to) => from + Math.random() * (to - from)
const isRare = (share = 0.2) => Math.random() < share
const text = (words, more = {}) => ({ content: [{ type: 'text', text: words }], ...more })
const rpcError = (code, message) => Object.assign(new Error(message), { code })

const TOOLS = {
  search: {
    find: async () => {
      await sleep(isRare() ? between(200, 600) : between(5, 40))
      return text('three documents')
    },
    summarize: async () => {
      await sleep(between(80, 250))
      return text('a summary')
    },
  },
  tickets: {
    open: async () => (isRare(0.3) ? text('no such project', { isError: true }) : text('ticket 7')),
    close: async () => {
      if (isRare(0.3)) throw rpcError(-32001, 'the database is locked')
      return text('closed')
    },
    delete_all: async () => text('gone'),
  },
  translate: {
    translate: async () => {
      await sleep(between(40, 80))
      return text('Guten Tag')
    },
  },
  'translate-next': {
    translate: async () => {
      await sleep(between(10, 20))
      return text('Moin')
    },
  },
}

/** How often each server was asked for its tools; "tickets" does not answer every fourth time. */
const asked = { search: 0, tickets: 0 }

function listTools(name) {
  if (name === 'tickets' && ++asked.tickets % 4 === 0) throw rpcError(-32603, 'out of memory')
  const inputSchema = { type: 'object' }
  return { tools: Object.keys(TOOLS[name]).map((it) => ({ name: it, inputSchema })) }
}

const HANDLERS = {
  'tools/list': listTools,
  'tools/call': (name, params) => TOOLS[name][params.name](),
  'prompts/list': () => ({ prompts: [{ name: 'triage' }] }),
  'prompts/get': () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Hm.' } }] }),
  'resources/list': () => ({ resources: [{ uri: 'notes://today', name: 'today' }] }),
  'resources/templates/list': () => ({ resourceTemplates: [] }),
  'resources/read': (_name, { uri }) => ({ contents: [{ uri, text: 'Nothing happened.' }] }),
}

/** By session. */
const transports = new Map()

async function open(name) {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void transports.set(id, transport),
    onsessionclosed: (id) => void transports.delete(id),
  })
  const capabilities = { tools: { listChanged: true }, prompts: {}, resources: {} }
  const server = new Server({ name, version: '1' }, { capabilities })
  server.fallbackRequestHandler = async ({ method, params = {} }) => {
    const handler = HANDLERS[method]
    if (handler === undefined) throw rpcError(-32601, `no ${method} here`)
    return handler(name, params)
  }
  await server.connect(transport)
  // Servers say when their tools change; the gateway reads them again.
  const saying = setInterval(
    () => void server.sendToolListChanged().catch(() => undefined),
    between(3_000, 5_000),
  )
  server.onclose = () => clearInterval(saying)
  return transport
}

async function answer(request, response) {
  const name = request.url.slice(1)
  const id = request.headers['mcp-session-id']
  if (!Object.hasOwn(TOOLS, name) || (id !== undefined && !transports.has(id))) {
    return response.writeHead(404).end()
  }
  const transport = id === undefined ? await open(name) : transports.get(id)
  await transport.handleRequest(request, response)
}

const http = createServer((request, response) => void answer(request, response))
http.listen(Number(port), host, () => {
  console.log(`listening http://${host}:${http.address().port}`)
})
