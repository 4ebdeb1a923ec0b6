// Over stdio, a server that asks its client in the middle of a call. `wait` answers when `release` is called.
import { createInterface } from 'node:readline'

const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] })
const tools = ['ask', 'wait', 'release'].map((name) => ({ name, inputSchema: { type: 'object' } }))
const asked = new Map()
let waiting

const calls = {
  ask: (id) => {
    const question = `q${id}`
    asked.set(question, id)
    const params = { message: 'Who?', requestedSchema: { type: 'object', properties: {} } }
    send({ id: question, method: 'elicitation/create', params })
  },
  wait: (id) => {
    waiting = id
  },
  release: (id) => {
    send({ id: waiting, result: text('released') })
    send({ id, result: text('ok') })
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {}, result, error } = JSON.parse(line)
  if (asked.has(id)) send({ id: asked.get(id), result: text(error ? { error } : { result }) })
  else if (method === 'tools/call') calls[params.name](id)
  else if (method === 'tools/list') send({ id, result: { tools } })
  else if (method === 'initialize') {
    const { protocolVersion } = params
    const serverInfo = { name: 'asking', version: '1' }
    send({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo } })
  } else if (id !== undefined) send({ id, result: {} })
}
