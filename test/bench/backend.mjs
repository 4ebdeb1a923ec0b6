// The fastest MCP server that still is one: answers `initialize`, the lists and one tool, from prepared text.
// One argument, the bytes of text in a tool's result. Prints its port.
import { createServer } from 'node:http'

const size = Number(process.argv[2] ?? 100)
const callResult = JSON.stringify({ content: [{ type: 'text', text: 'x'.repeat(size) }] })
const tools = [{ name: 'echo', inputSchema: { type: 'object' } }]
const results = {
  initialize: JSON.stringify({
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'bench', version: '1' },
  }),
  'tools/list': JSON.stringify({ tools }),
  'tools/call': callResult,
  ping: '{}',
}

const server = createServer((request, response) => {
  if (request.method !== 'POST') return response.writeHead(405).end()
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks))
    if (id === undefined) return response.writeHead(202).end()
    const body = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${results[method] ?? '{}'}}`
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'mcp-session-id': 'bench',
    })
    response.end(body)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
