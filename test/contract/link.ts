/** A client and a server of the SDK with a gateway between them, over any pair of transports and revisions. */
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

export const MODERN = '2026-07-28'
/** Only clients of the oldest revision know no other transport than HTTP+SSE. */
export const OLDEST = '2024-11-05'

const PROGRAM = {
  legacy: fileURLToPath(new URL('legacy-server.mjs', import.meta.url)),
  modern: fileURLToPath(new URL('modern-server.mjs', import.meta.url)),
}
const CAPABILITIES = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
}

/** What the client answers to what servers ask. */
export const ANSWERS: Readonly<Record<string, JsonObject>> = {
  'sampling/createMessage': {
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  },
  'elicitation/create': { action: 'accept', content: { name: 'Ada' } },
  'roots/list': { roots: [{ uri: 'file:///work', name: 'work' }] },
}

export interface Ends {
  /** The revision that the client speaks, and the one that the server does. */
  readonly client: string
  readonly server: string
  readonly transport: string
}

export interface Link extends AsyncDisposable {
  readonly client: Client
  /** Notifications that no handler of the SDK's own took. */
  readonly heard: readonly { readonly method: string; readonly params: JsonObject }[]
}

/** The target is `t`. */
export async function connect({
  client: revision,
  server: spoken,
  transport,
}: Ends): Promise<Link> {
  const folder = await mkdtemp(join(tmpdir(), 'contract-'))
  const file = join(folder, 'tools.json')
  const isModern = spoken === MODERN
  const program = isModern ? PROGRAM.modern : PROGRAM.legacy
  const args = isModern ? [transport, file] : [transport, spoken, file]
  const server = transport === 'stdio' ? undefined : await startListening(program, ...args)
  const endpoint: JsonObject =
    server === undefined
      ? { stdio: { command: process.execPath, args: [program, ...args] } }
      : { [transport === 'http+sse' ? 'sse' : 'mcp']: { url: server.url } }
  const gateway = await startGateway({
    listen: { legacySse: true },
    targets: [{ name: 't', roots: true, parkCalls: true, ...endpoint }],
    federation: { attribution: false },
  })
  const client = new Client(
    { name: 'contract', version: '1' },
    {
      capabilities: CAPABILITIES,
      ...(revision === MODERN
        ? { versionNegotiation: { mode: { pin: MODERN } } }
        : { supportedProtocolVersions: [revision] }),
    },
  )
  const heard: { method: string; params: JsonObject }[] = []
  const answer = (method: string) => async () => ANSWERS[method] as never
  client.setRequestHandler('sampling/createMessage', answer('sampling/createMessage'))
  client.setRequestHandler('elicitation/create', answer('elicitation/create'))
  client.setRequestHandler('roots/list', answer('roots/list'))
  client.fallbackNotificationHandler = async ({ method, params }) => {
    heard.push({ method, params: (params ?? {}) as JsonObject })
  }
  await client.connect(
    revision === OLDEST
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
