// `node modern-server.mjs TRANSPORT FILE`: a server of 2026-07-28 on the SDK, over `json`, `sse` (both Streamable HTTP)
// or `stdio`, with the same tools as `legacy-server.mjs`. Prints `listening URL` where it listens.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, ProtocolError, Server } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [kind, file] = process.argv.slice(2)
const text = (it) => ({ content: [{ type: 'text', text: it }] })
const TOOLS = 'plain fail throw structured progress log ask hang cancelled add touch'.split(' ')
/** Tools that `add` has added. */
const added = () => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [])
const cancelled = []
/** Says what has changed; set once there is something to say it on. */
let tell = { tools: () => {}, note: () => {} }

const ANSWERS = {
  'tools/list': () => ({
    tools: [...TOOLS, ...added()].map((name) => ({ name, inputSchema: { type: 'object' } })),
  }),
  'tools/call': ({ name, arguments: given }, context) => call(name, given ?? {}, context),
  'prompts/list': () => ({ prompts: [{ name: 'greet' }] }),
  'prompts/get': ({ arguments: given }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Greet ${given?.who}` } }],
  }),
  'resources/list': () => ({ resources: [{ uri: 'contract://note', name: 'note' }] }),
  'resources/read': ({ uri }) => ({ contents: [{ uri, text: 'a note' }] }),
  'completion/complete': ({ argument }) => ({ completion: { values: [`${argument.value}!`] } }),
}

async function call(name, given, { mcpReq }) {
  const { signal, notify, envelope, inputResponses } = mcpReq
  switch (name) {
    case 'plain':
      if (kind !== 'stdio') console.log(`ran ${given.a}`)
      return { ...text(`plain ${given.a}`), _meta: { 'example.com/k': 1 } }
    case 'fail':
      return { ...text('it failed'), isError: true }
    case 'throw':
      throw new ProtocolError(4711, 'thrown', { why: 'so' })
    case 'structured':
      return { ...text('{"n":1}'), structuredContent: { n: 1 } }
    case 'progress':
      for (const progress of [1, 2, 3]) {
        const progressToken = mcpReq._meta.progressToken
        const params = { progressToken, progress, total: 3 }
        await notify({ method: 'notifications/progress', params })
      }
      return text('done')
    case 'log':
      if (envelope?.['io.modelcontextprotocol/logLevel'] !== undefined) {
        const params = { level: 'warning', logger: 'l', data: 'said' }
        await notify({ method: 'notifications/message', params })
      }
      return text('logged')
    case 'ask':
      if (inputResponses === undefined) {
        return { resultType: 'input_required', inputRequests: { q: given }, requestState: 'mine' }
      }
      if (mcpReq.requestState() !== 'mine') return { ...text('another state'), isError: true }
      return text(JSON.stringify(inputResponses.q))
    case 'hang':
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      cancelled.push(given.key)
      return text('too late')
    case 'cancelled':
      return text(JSON.stringify(cancelled.includes(given.key)))
    case 'add':
      writeFileSync(file, JSON.stringify([...added(), given.name]))
      tell.tools()
      return text('added')
    case 'touch':
      tell.note()
      return text('touched')
    default:
      return text(`added tool ${name}`)
  }
}

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
      },
    },
  )
  server.fallbackRequestHandler = async ({ method, params }, context) => {
    const answer = ANSWERS[method]
    if (answer === undefined) throw new ProtocolError(-32601, 'no such method')
    return answer(params ?? {}, context)
  }
  return server
}

if (kind === 'stdio') {
  serveStdio(
    () => {
      const server = createContractServer()
      tell = {
        tools: () => void server.sendToolListChanged(),
        note: () => void server.sendResourceUpdated({ uri: 'contract://note' }),
      }
      return server
    },
    { legacy: 'reject' },
  )
} else {
  const handler = createMcpHandler(createContractServer, { legacy: 'reject', responseMode: kind })
  tell = {
    tools: () => handler.notify.toolsChanged(),
    note: () => handler.notify.resourceUpdated('contract://note'),
  }
  const handle = toNodeHandler(handler)
  const http = createServer((request, response) => void handle(request, response))
  http.listen(0, '127.0.0.1', () => {
    console.log(`listening http://127.0.0.1:${http.address().port}/mcp`)
  })
}
