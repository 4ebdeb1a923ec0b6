// Over stdio, a server that says more than anybody reads: `flood` tells of progress, in lines of 64 KiB, as often as it
// is asked to, before it answers.
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const filler = 'x'.repeat(64 * 1024)

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line)
  if (id === undefined) continue
  const progressToken = params._meta?.progressToken
  for (let progress = 1; progress <= (params.arguments?.lines ?? 0); progress++) {
    const told = { progressToken, progress, message: filler }
    if (!send({ method: 'notifications/progress', params: told }))
      await once(process.stdout, 'drain')
  }
  const result = {
    initialize: {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'floods', version: '1' },
    },
    'tools/list': { tools: [{ name: 'flood', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [{ type: 'text', text: String(params.arguments?.lines) }] },
  }[method]
  send({ id, result: result ?? {} })
}
