// `node fixture-server.mjs [port]`: the backend the official conformance suite expects behind the gateway, on the SDK.
// Prints `listening URL`. Its sessions keep their events, so streams can be closed and resumed.
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { EventStore } from './fixture-events.mjs'
import { completions, prompts, readResource, resources, templates } from './fixture-content.mjs'
import { tools } from './fixture-tools.mjs'

const INVALID_PARAMS = -32602
const RETRY_MS = 100

/** @type {Map<string, StreamableHTTPServerTransport>} */
const sessions = new Map()

function createFixture() {
  const server = new Server(
    { name: 'conformance-fixture', version: '1.0.0' },
    {
      capabilities: {
        tools: {},
        prompts: {},
        resources: { subscribe: true },
        completions: {},
        logging: {},
      },
    },
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = named(tools, params.name)
    try {
      const peer = { ...extra, capabilities: server.getClientCapabilities() ?? {} }
      return { content: await tool.call(params.arguments ?? {}, peer) }
    } catch (error) {
      return { content: [{ type: 'text', text: error.message }], isError: true }
    }
  })
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: prompts.map(({ messages: _messages, ...prompt }) => prompt),
  }))
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => ({
    messages: named(prompts, params.name).messages(params.arguments ?? {}),
  }))
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources }))
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: templates,
  }))
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => readResource(params.uri))
  server.setRequestHandler(SubscribeRequestSchema, () => ({}))
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}))
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => ({
    completion: completions(params.argument),
  }))
  return server
}

function named(list, name) {
  const found = list.find((it) => it.name === name)
  if (found === undefined) throw new McpError(INVALID_PARAMS, `Unknown name: ${name}`)
  return found
}

async function openSession() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
    eventStore: new EventStore(),
    retryInterval: RETRY_MS,
  })
  await createFixture().connect(transport)
  return transport
}

const isLocal = (host) => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host ?? '')

async function answer(request, response) {
  if (!isLocal(request.headers.host)) return response.writeHead(403).end()
  const id = request.headers['mcp-session-id']
  const transport = id === undefined ? await openSession() : sessions.get(id)
  if (transport === undefined) return response.writeHead(404).end()
  return transport.handleRequest(request, response)
}

const http = createServer((request, response) => void answer(request, response))
http.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${http.address().port}/mcp`)
})
