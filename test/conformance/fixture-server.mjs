// `node fixture-server.mjs [port]`: the backend the official conformance suite expects behind the gateway, on the SDK.
// Prints `listening URL`. Its sessions keep their events, so streams can be closed and resumed.
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks'
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
import { askPrompt, bridgeTools, startTask } from './fixture-bridge-tools.mjs'
import { EventStore } from './fixture-events.mjs'
import { completions, prompts, readResource, resources, templates } from './fixture-content.mjs'
import { tools } from './fixture-tools.mjs'

/** How often each list was changed, and who is told. */
const changes = { tools: 0, prompts: 0 }
const servers = new Set()
const trigger = (name, list, tell) => ({
  name,
  description: `Changes the list of ${list}`,
  inputSchema: { type: 'object', properties: {} },
  call: () => {
    changes[list]++
    for (const server of servers) tell(server).catch(() => undefined)
    return [{ type: 'text', text: 'Changed.' }]
  },
})
const all = [
  ...tools,
  ...bridgeTools,
  trigger('test_trigger_tool_change', 'tools', (server) => server.sendToolListChanged()),
  trigger('test_trigger_prompt_change', 'prompts', (server) => server.sendPromptListChanged()),
]
const ASKING_PROMPT = {
  name: 'test_input_required_result_prompt',
  description: 'A prompt that needs input',
}
const taskStore = new InMemoryTaskStore()
const INVALID_PARAMS = -32602
const RETRY_MS = 100

/** @type {Map<string, StreamableHTTPServerTransport>} */
const sessions = new Map()

function createFixture() {
  const server = new Server(
    { name: 'conformance-fixture', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true },
        completions: {},
        logging: {},
        tasks: { cancel: {}, requests: { tools: { call: {} } } },
      },
      taskStore,
    },
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: all.map(({ call: _call, work: _work, ...definition }) => ({
      ...definition,
      title: `After ${changes.tools} changes`,
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = named(all, params.name)
    if (tool.work !== undefined) return startTask(tool, params.arguments ?? {}, extra)
    try {
      const peer = { ...extra, capabilities: server.getClientCapabilities() ?? {} }
      return { content: await tool.call(params.arguments ?? {}, peer) }
    } catch (error) {
      if (error instanceof McpError && tool.name === 'test_missing_capability') throw error
      return { content: [{ type: 'text', text: error.message }], isError: true }
    }
  })
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: [...prompts, ASKING_PROMPT].map(({ messages: _messages, ...prompt }) => ({
      ...prompt,
      title: `After ${changes.prompts} changes`,
    })),
  }))
  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, extra) => ({
    messages:
      params.name === ASKING_PROMPT.name
        ? await askPrompt(extra)
        : named(prompts, params.name).messages(params.arguments ?? {}),
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
  const server = createFixture()
  await server.connect(transport)
  servers.add(server)
  server.onclose = () => servers.delete(server)
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
