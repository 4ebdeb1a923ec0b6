// The two lines of the official SDK, each as its hosts use it with OAuth: what needs the user throws, the user logs in,
// the transport finishes, and the same is done once more.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
  UnauthorizedError as UnauthorizedV2,
} from '@modelcontextprotocol/client'
import { UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const INFO = { name: 'example-host', version: '1' }

export const LINES = {
  'SDK 1': {
    open: (url, options) => [new ClientV1(INFO), new TransportV1(url, options)],
    needsUser: (error) => error instanceof UnauthorizedV1,
    finish: (transport, callback) => transport.finishAuth(callback.get('code')),
  },
  'SDK 2': {
    // Asks for 2026-07-28 first, as hosts on this line do.
    open: (url, options) => [
      new ClientV2(INFO, { versionNegotiation: { mode: 'auto' } }),
      new TransportV2(url, options),
    ],
    needsUser: (error) => error instanceof UnauthorizedV2,
    // With the issuer that the answer says it is from (RFC 9207).
    finish: (transport, callback) => transport.finishAuth(callback),
  },
}

/** A connected client: `use` runs a request with it, and asks the user where that turns out to be needed. */
export async function connect({ open, needsUser, finish }, url, host) {
  const options = { authProvider: host, fetch: host.fetch }
  const once = async () => {
    const [client, transport] = open(new URL(url), options)
    try {
      await client.connect(transport)
    } catch (error) {
      if (!needsUser(error)) throw error
      await finish(transport, host.callback)
      return undefined
    }
    return { client, transport }
  }
  // A client that could not connect is not used again.
  const { client, transport } = (await once()) ?? (await once())
  const use = async (request) => {
    try {
      return await request(client)
    } catch (error) {
      if (!needsUser(error)) throw error
      await finish(transport, host.callback)
      return request(client)
    }
  }
  return { use, close: () => client.close() }
}
