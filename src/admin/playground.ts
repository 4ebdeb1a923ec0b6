/**
 * `POST /api/v1/playground`: passes one MCP request of the page's on to the main endpoint, as whoever the operator says,
 * and its answer back as it comes. The page is the client; it cannot reach the endpoint itself, which is of another
 * origin. Nothing of what is passed on is kept or logged.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import type { InnerDoor } from '../http/inner-door.js'
import { readBody } from '../http/body.js'
import { RefusedError } from '../http/refusal.js'
import type { ListenSettings } from '../http/settings.js'

/** What MCP clients send, and nothing else. */
const HEADER =
  /^(authorization|x-api-key|accept|content-type|mcp-(session-id|protocol-version|method|name|param-[a-z0-9-]{1,64}))$/
const ANSWERED = ['mcp-session-id', 'www-authenticate', 'retry-after'] as const
/** Where the page reads the status of the answer; its own is that of the admin listener. */
const STATUS_HEADER = 'x-junction-status'

const requestSchema = z.strictObject({
  /** A target or group; '' for the merged server. */
  server: z.string().regex(/^([a-z0-9-]{1,63}(\/[a-z0-9.-]{1,253})?)?$/, 'expected a target'),
  method: z.enum(['POST', 'DELETE']),
  headers: z.record(
    z.string().regex(HEADER, 'expected a header of MCP'),
    // oxlint-disable-next-line no-control-regex -- what would end a header
    z.string().regex(/^[^\x00-\x08\x0a-\x1f\x7f]*$/, 'expected the value of a header'),
  ),
  body: z.string(),
})

export class Playground {
  readonly #door: InnerDoor
  readonly #listen: ListenSettings
  readonly #isGuarded: boolean

  /** `isGuarded`: nobody gets here without a token. */
  constructor(door: InnerDoor, settings: ListenSettings, isGuarded: boolean) {
    this.#isGuarded = isGuarded
    this.#door = door
    this.#listen = settings
  }

  /** @throws RefusedError 400, 403 */
  async answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { path, maxBodyBytes, allowedHosts, tls } = this.#listen
    // Who reaches the main endpoint has to show a certificate; who reaches this on the same machine, nothing.
    if (tls?.clientCa !== undefined && !this.#isGuarded) {
      const reason = 'where clients need certificates, the playground needs "admin.token"'
      throw new RefusedError(403, reason)
    }
    // The message is a string in JSON here, in which each quote takes two.
    const { server, method, headers, body } = read(
      String(await readBody(incoming, 2 * maxBodyBytes)),
    )
    const gone = new AbortController()
    outgoing.once('close', () => gone.abort())
    try {
      const answer = await this.#door.request({
        method,
        path: server === '' ? path : `${path}/${server}`,
        headers: { ...headers, host: allowedHosts[0] ?? 'localhost' },
        body,
        remoteAddress: incoming.socket.remoteAddress ?? '',
        signal: gone.signal,
      })
      outgoing.writeHead(200, headOf(answer))
      outgoing.flushHeaders()
      await pipeline(answer, outgoing)
    } catch (error) {
      // Whoever asked has gone, and what was asked was cancelled with that.
      if (!gone.signal.aborted) throw error
    }
  }
}

function headOf({ headers, statusCode }: IncomingMessage): Record<string, string> {
  const passed = ANSWERED.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [[name, String(value)] as const]
  })
  return {
    'content-type': headers['content-type'] ?? 'text/plain',
    'cache-control': 'no-store',
    [STATUS_HEADER]: String(statusCode),
    ...Object.fromEntries(passed),
  }
}

function read(body: string): z.output<typeof requestSchema> {
  try {
    return requestSchema.parse(JSON.parse(body))
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined
    const where = issue === undefined ? 'no JSON' : `${issue.path.join('.')}: ${issue.message}`
    throw new RefusedError(400, `not a request for the playground: ${where}`)
  }
}
