// Over stdio, a server that logs at the level it was told: while it works on `talk`, and after it answered `talk-later`.
import { createInterface } from 'node:readline'

const LEVELS = ['debug', 'info', 'notice', 'warning', 'error']
const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const tools = ['talk', 'talk-later'].map((name) => ({ name, inputSchema: { type: 'object' } }))
let least = 'debug'

const log = (level) => {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return
  send({ method: 'notifications/message', params: { level, data: level } })
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line)
  if (id === undefined) continue
  if (method === 'logging/setLevel') least = params.level
  if (params.name === 'talk') for (const level of ['debug', 'error']) log(level)
  const result = {
    initialize: {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {}, logging: {} },
      serverInfo: { name: 'logging', version: '1' },
    },
    'tools/list': { tools },
    'tools/call': { content: [] },
  }[method]
  send({ id, result: result ?? {} })
  if (params.name === 'talk-later') setTimeout(log, 20, 'error')
}
