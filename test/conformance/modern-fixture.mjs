// `node modern-fixture.mjs`: the backend the official suite expects for 2026-07-28, on line 2 of the SDK, with the tasks
// extension, which the SDK lacks. Prints `listening URL`.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, ProtocolError, Server } from '@modelcontextprotocol/server'
import { createServer } from 'node:http'
import { completions, prompts, readResource, resources, templates } from './fixture-content.mjs'
import { tools as shared } from './fixture-tools.mjs'
import { answerPrompt, needs, tools as asking } from './modern-fixture-input.mjs'
import { taskMethods, tools as lengthy } from './modern-fixture-tasks.mjs'

const INVALID_PARAMS = -32602
const TASKS = 'io.modelcontextprotocol/tasks'

const tool = (name, description, run, properties = {}) => ({
  name,
  description,
  inputSchema: { type: 'object', properties },
  run,
})

class NeedsInput extends Error {
  constructor(request) {
    super('input is needed')
    this.request = request
  }
}

/** The tools both fixtures have, and whatever tests need to see happen. */
const plain = [
  ...shared.map(({ call, ...definition }) => ({
    ...definition,
    run: async (given, { _meta, notify, capabilities, inputResponses }) => {
      // These tools ask in the middle; here they begin anew with the answer.
      const sendRequest = async (request) => {
        if (inputResponses?.q === undefined) throw new NeedsInput(request)
        return inputResponses.q
      }
      try {
        const peer = { _meta, sendNotification: notify, sendRequest, capabilities }
        return { content: await call(given, peer) }
      } catch (error) {
        if (error instanceof NeedsInput) return needs({ q: error.request })
        return { content: [{ type: 'text', text: error.message }], isError: true }
      }
    },
  })),
  tool('test_missing_capability', 'Needs a client with a model', (_, { capabilities }) => {
    if (capabilities.sampling !== undefined) return said('You have it.')
    const requiredCapabilities = { sampling: {} }
    throw new ProtocolError(-32021, 'sampling is needed', { requiredCapabilities })
  }),
  tool('test_logging_tool', 'Logs where that is wanted', async (_, { logLevel, notify }) => {
    const params = { level: 'info', data: 'Logged.' }
    if (logLevel !== undefined) await notify({ method: 'notifications/message', params })
    return said('Done.')
  }),
  tool('test_trigger_tool_change', 'Changes the list of tools', () => {
    changes.tools++
    handler.notify.toolsChanged()
    return said('Changed.')
  }),
  tool('test_trigger_prompt_change', 'Changes the list of prompts', () => {
    changes.prompts++
    handler.notify.promptsChanged()
    return said('Changed.')
  }),
  tool('test_x_mcp_header', 'Has arguments that headers repeat', (given) => said(given.region), {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    priority: { type: 'integer', 'x-mcp-header': 'Priority' },
    verbose: { type: 'boolean', 'x-mcp-header': 'Verbose' },
    query: { type: 'string' },
  }),
]

const all = [...plain, ...asking, ...lengthy]
const ASKING_PROMPT = {
  name: 'test_input_required_result_prompt',
  description: 'A prompt that needs input',
}
const changes = { tools: 0, prompts: 0 }
const said = (text) => ({ content: [{ type: 'text', text }] })

const methods = {
  'tools/list': () => ({
    tools: all.map(({ run: _run, ...definition }) =>
      definition.name === 'test_trigger_tool_change'
        ? { ...definition, description: `${definition.description}, ${changes.tools} times so far` }
        : definition,
    ),
  }),
  'tools/call': ({ name, arguments: given = {} }, context) => named(all, name).run(given, context),
  'prompts/list': () => ({
    prompts: [...prompts, ASKING_PROMPT].map(({ messages: _messages, ...prompt }) => ({
      ...prompt,
      title: `Version ${changes.prompts}`,
    })),
  }),
  'prompts/get': ({ name, arguments: given = {} }, context) =>
    name === ASKING_PROMPT.name
      ? answerPrompt(context)
      : { messages: named(prompts, name).messages(given) },
  'resources/list': () => ({ resources }),
  'resources/templates/list': () => ({ resourceTemplates: templates }),
  'resources/read': ({ uri }) => readResource(uri),
  'completion/complete': ({ argument }) => ({ completion: completions(argument) }),
}

function named(list, name) {
  const found = list.find((it) => it.name === name)
  if (found === undefined) throw new ProtocolError(INVALID_PARAMS, `Unknown: ${name}`)
  return found
}

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
        extensions: { [TASKS]: {} },
      },
    },
  )
  server.fallbackRequestHandler = async ({ method, params = {} }, { mcpReq }) => {
    const answer = methods[method]
    if (answer === undefined) throw new ProtocolError(-32601, 'Method not found')
    return answer(params, contextOf(mcpReq))
  }
  for (const [method, answer] of Object.entries(taskMethods)) {
    server.setRequestHandler(method, { params: ANYTHING }, (params, { mcpReq }) =>
      answer(params, contextOf(mcpReq)),
    )
  }
  return server
}

/** A schema that takes whatever comes. */
const ANYTHING = {
  '~standard': { version: 1, vendor: 'fixture', validate: (value) => ({ value }) },
}

/** What a request says beside its params. */
function contextOf({ _meta, envelope = {}, notify, inputResponses, requestState }) {
  return {
    _meta,
    notify,
    inputResponses,
    requestState: requestState?.(),
    capabilities: envelope['io.modelcontextprotocol/clientCapabilities'] ?? {},
    logLevel: envelope['io.modelcontextprotocol/logLevel'],
  }
}

const handler = createMcpHandler(createFixture, { legacy: 'reject' })
const handle = toNodeHandler(handler)
const http = createServer((request, response) => void handle(request, response))
http.listen(0, 'localhost', () => {
  console.log(`listening http://localhost:${http.address().port}/mcp`)
})
