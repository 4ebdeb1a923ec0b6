import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { startListening } from '../support/listening-process.js'
import type { Link } from './contract.js'
import { ANSWERS, describeContract } from './contract.js'

const PROGRAM = fileURLToPath(new URL('legacy-server.mjs', import.meta.url))
const CAPABILITIES = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
}

/** Only clients of the oldest revision know no other transport than HTTP+SSE. */
const OLDEST = '2024-11-05'

async function connect(transport: string, version: string): Promise<Link> {
  const folder = await mkdtemp(join(tmpdir(), 'contract-'))
  const args = [transport, version, join(folder, 'tools.json')]
  const server = transport === 'stdio' ? undefined : await startListening(PROGRAM, ...args)
  const endpoint: JsonObject =
    server === undefined
      ? { stdio: { command: process.execPath, args: [PROGRAM, ...args] } }
      : { [transport === 'http+sse' ? 'sse' : 'mcp']: { url: server.url } }
  const gateway = await startGateway({
    listen: { legacySse: true },
    targets: [{ name: 't', roots: true, ...endpoint }],
    federation: { attribution: false },
  })
  const client = new Client(
    { name: 'contract', version: '1' },
    { capabilities: CAPABILITIES, supportedProtocolVersions: [version] },
  )
  const heard: { method: string; params: JsonObject }[] = []
  client.fallbackRequestHandler = async ({ method }) => ANSWERS[method] ?? {}
  client.fallbackNotificationHandler = async ({ method, params }) => {
    heard.push({ method, params: (params ?? {}) as JsonObject })
  }
  await client.connect(
    version === OLDEST
      ? new SSEClientTransport(new URL('/sse', gateway.url))
      : new StreamableHTTPClientTransport(new URL(gateway.url)),
  )
  return {
    client,
    heard,
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await gateway.close()
      await server?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

for (const version of [OLDEST, '2025-03-26', '2025-06-18', '2025-11-25']) {
  for (const transport of ['json', 'sse', 'http+sse', 'stdio']) {
    describeContract(`${version} over ${transport}`, {
      connect: () => connect(transport, version),
      hasTasks: version === '2025-11-25',
    })
  }
}
