/** Real clients of both SDK lines, connected; closed when they go out of scope. */
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const INFO = { name: 'test-client', version: '1' }

export async function connectV1(url: string): Promise<ClientV1 & AsyncDisposable> {
  const client = new ClientV1(INFO)
  await client.connect(new TransportV1(new URL(url)))
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
}

/** Probes for the modern era first, as hosts on this line do. */
export async function connectV2(url: string): Promise<ClientV2 & AsyncDisposable> {
  const client = new ClientV2(INFO, { versionNegotiation: { mode: 'auto' } })
  await client.connect(new TransportV2(new URL(url)))
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
}
