// `node legacy-server.mjs TRANSPORT VERSION FILE`: a server of the 2025 era on the SDK, over `json`, `sse` (both Streamable
// HTTP), `http+sse` or `stdio`, speaking one revision. It has one tool for each kind of exchange that the contract
// tests; tools that are added while it runs are kept in the file, for all processes of one server. Prints
// `listening URL` where it listens.
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { z } from 'zod'

const [kind, version, file] = process.argv.slice(2)
const hasTasks = version === '2025-11-25'
const ANY = z.record(z.string(), z.unknown())
const text = (it) => ({ content: [{ type: 'text', text: it }] })
const NAMES = [
  'plain',
  'fail',
  'throw',
  'structured',
  'progress',
  'log',
  'ask',
  'hang',
  'cancelled',
]
const TOOLS = [...NAMES, 'add', 'touch', ...(hasTasks ? ['task'] : [])]

/** Tools that `add` has added. */
const added = () => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [])
const cancelled = []
const servers = new Set()

function createContractServer() {
  const server = new Server(
    { name: 'contract', version: '1' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: {},
        resources: { subscribe: true },
        completions: {},
        logging: {},
        ...(hasTasks ? { tasks: { cancel: {}, requests: { tools: { call: {} } } } } : {}),
      },
      ...(hasTasks ? { taskStore } : {}),
    },
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [...TOOLS, ...added()].map((name) => ({
      name,
      inputSchema: { type: 'object' },
      ...(name === 'task' ? { execution: { taskSupport: 'optional' } } : {}),
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    call(server, params.name, params.arguments ?? {}, extra),
  )
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: [{ name: 'greet' }] }))
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Greet ${params.arguments?.who}` } }],
  }))
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: [{ uri: 'contract://note', name: 'note' }],
  }))
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => {
    if (params.uri !== 'contract://note') throw new McpError(-32002, 'no such resource')
    return { contents: [{ uri: params.uri, text: 'a note' }] }
  })
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => ({
    completion: { values: [`${params.argument.value}!`] },
  }))
  server.setRequestHandler(SubscribeRequestSchema, () => ({}))
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}))
  return server
}

const taskStore = new InMemoryTaskStore()

async function call(server, name, given, { signal, sendRequest, sendNotification, ...extra }) {
  // A server that answers with JSON has no stream of the call to say anything else on.
  const ask = (request) =>
    kind === 'json' ? server.request(request, ANY) : sendRequest(request, ANY)
  const notify = (message) =>
    kind === 'json' ? server.notification(message) : sendNotification(message)
  switch (name) {
    case 'plain':
      if (kind !== 'stdio') console.log(`ran ${given.a}`)
      return { ...text(`plain ${given.a}`), _meta: { 'example.com/k': 1 } }
    case 'fail':
      return { ...text('it failed'), isError: true }
    case 'throw':
      throw Object.assign(new Error('thrown'), { code: 4711, data: { why: 'so' } })
    case 'structured':
      return { ...text('{"n":1}'), structuredContent: { n: 1 } }
    case 'progress':
      for (const progress of [1, 2, 3]) {
        const { progressToken } = extra._meta
        await notify({
          method: 'notifications/progress',
          params: { progressToken, progress, total: 3 },
        })
      }
      // The result takes another way than the progress; who has answered this has heard that.
      if (kind === 'json') await ask({ method: 'ping' })
      return text('done')
    case 'log':
      await notify({
        method: 'notifications/message',
        params: { level: 'warning', logger: 'l', data: 'said' },
      })
      return text('logged')
    case 'ask':
      return text(JSON.stringify(await ask(given)))
    case 'hang':
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      cancelled.push(given.key)
      return text('too late')
    case 'cancelled':
      return text(JSON.stringify(cancelled.includes(given.key)))
    case 'add':
      writeFileSync(file, JSON.stringify([...added(), given.name]))
      for (const each of servers) await each.sendToolListChanged().catch(() => undefined)
      return text('added')
    case 'touch':
      await server.notification({
        method: 'notifications/resources/updated',
        params: { uri: 'contract://note' },
      })
      return text('touched')
    case 'task': {
      if (extra.taskRequestedTtl === undefined && extra.taskStore === undefined)
        return text('no task')
      const task = await extra.taskStore.createTask({ ttl: 60_000, pollInterval: 50 })
      await extra.taskStore.storeTaskResult(task.taskId, 'completed', text('task done'))
      return { task }
    }
    default:
      return text(`added tool ${name}`)
  }
}

/** Whatever revision the client asks for, it gets the one that this server speaks. */
async function connect(transport) {
  const server = createContractServer()
  await server.connect(transport)
  const receive = transport.onmessage
  transport.onmessage = (message, extra) => {
    if (message.method === 'initialize') message.params.protocolVersion = version
    receive(message, extra)
  }
  servers.add(server)
  const close = transport.onclose
  transport.onclose = () => {
    servers.delete(server)
    close?.()
  }
}

const sessions = new Map()

const handlers = {
  streamable: async (request, response) => {
    const id = request.headers['mcp-session-id']
    let transport = sessions.get(id)
    if (id !== undefined && transport === undefined) return void response.writeHead(404).end()
    if (transport === undefined) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        enableJsonResponse: kind === 'json',
        onsessioninitialized: (opened) => void sessions.set(opened, transport),
        onsessionclosed: (closed) => void sessions.delete(closed),
      })
      await connect(transport)
    }
    await transport.handleRequest(request, response)
  },
  'http+sse': async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://host')
    if (request.method === 'GET' && pathname === '/mcp') {
      const transport = new SSEServerTransport('/messages', response)
      sessions.set(transport.sessionId, transport)
      return connect(transport)
    }
    const transport = sessions.get(searchParams.get('sessionId'))
    if (pathname !== '/messages' || transport === undefined) {
      return void response.writeHead(405).end()
    }
    await transport.handlePostMessage(request, response)
  },
}

if (kind === 'stdio') {
  await connect(new StdioServerTransport())
} else {
  const handle = handlers[kind] ?? handlers.streamable
  const http = createServer((request, response) => void handle(request, response))
  http.listen(0, '127.0.0.1', () => {
    console.log(`listening http://127.0.0.1:${http.address().port}/mcp`)
  })
}
