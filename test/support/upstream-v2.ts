/** A real server of SDK line 2, which keeps no sessions for clients of the 2025 era. */
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export async function startUpstreamV2(): Promise<{ readonly url: string } & AsyncDisposable> {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'v2', version: '1' })
    server.registerTool('greet', { description: 'Says hello.' }, () => ({
      content: [{ type: 'text', text: 'hello from v2' }],
    }))
    return server
  })
  const handle = toNodeHandler(handler)
  const http = createServer((request, response) => {
    // Node gives every server request a method; its types do not say so.
    void handle(request as Parameters<typeof handle>[0], response)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
      await handler.close()
    },
  }
}
