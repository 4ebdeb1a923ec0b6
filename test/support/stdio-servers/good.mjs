// A small MCP server over stdio, written on the wire itself. Its tools do what a test needs of a child process.
import { createInterface } from 'node:readline'

const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const text = (value) => ({ content: [{ type: 'text', text: String(value) }] })
const cancelled = new Set()
const tools = ['echo', 'pid', 'env', 'cwd', 'slow', 'crash', 'hang', 'cancelled'].map((name) => ({
  name,
  inputSchema: { type: 'object' },
}))

const calls = {
  echo: (_, { message }) => text(message),
  pid: () => text(process.pid),
  env: () => text(JSON.stringify(process.env)),
  cwd: () => text(process.cwd()),
  cancelled: () => text(cancelled.size),
  crash: () => process.exit(3),
  hang: () => undefined,
  slow: async (_, { ms, steps = 2 }, progressToken) => {
    for (let step = 1; step <= steps; step++) {
      await new Promise((resolve) => setTimeout(resolve, ms / steps))
      if (progressToken !== undefined) {
        send({
          method: 'notifications/progress',
          params: { progressToken, progress: step, total: steps },
        })
      }
    }
    return text('done')
  },
}

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'good', version: '1' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools }),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line)
  if (method === 'notifications/cancelled') cancelled.add(params.requestId)
  if (id === undefined) continue
  const token = params._meta?.progressToken
  void Promise.resolve(
    method === 'tools/call'
      ? calls[params.name](id, params.arguments ?? {}, token)
      : answers[method]?.(params),
  ).then((result) => {
    if (result !== undefined) send({ id, result })
    else if (method !== 'tools/call')
      send({ id, error: { code: -32601, message: 'no such method' } })
  })
}
