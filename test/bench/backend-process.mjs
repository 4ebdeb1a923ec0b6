// The server behind all contenders, in its own process.
import { once } from 'node:events'
import { printedPort, startProgram, stop } from './processes.mjs'

export async function startBackend() {
  const child = startProgram('backend.mjs', [], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const port = await printedPort(child)
  return {
    port,
    pids: () => [child.pid],
    url: (path) => `http://127.0.0.1:${port}${path}`,
    /** `path` leads to a server with `count` targets' tools, each its own as far as a gateway can see. */
    targets: (count, tools, era = 'legacy') =>
      Array.from({ length: count }, (_, index) => ({
        name: `target-${index}`,
        mcp: { url: `http://127.0.0.1:${port}/${era}/${tools}/${index}` },
      })),
    tell: (order) => child.send(order),
    /** Requests since the start, by method. */
    async counts() {
      child.send({ ask: 'counts' })
      const [{ counts }] = await once(child, 'message')
      return counts
    },
    stop: () => stop(child),
  }
}
