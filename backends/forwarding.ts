/** Requests that are not MCP, given to a server that wants them all the same: as they are, but for whom they are from. */
import type { Readable } from 'node:stream'
import type { Pool } from 'undici'
import type { Call, SubjectToken } from './call.js'
import { forwardedHeaders } from './credentials.js'
import { BackendUnreachableError, credentialsRefused } from './errors.js'
import { networkReason } from './http-response.js'
import type { Target } from './target.js'

export interface ForeignRequest {
  readonly method: string
  /** At the server, with its query; '' for the server's own address. */
  readonly path: string
  readonly headers: NonNullable<Call['headers']>
  readonly body: Buffer | undefined
  readonly subject: SubjectToken | undefined
}

export interface ForeignAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readable
}

/** Of a request, what says how its body and its answer are to be read. Nothing of who sends it. */
const REQUEST_HEADERS = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'accept',
  'accept-language',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
]

/** `token` is shown where it is one; else what the target has of fixed credentials. */
export async function forward(
  target: Target,
  url: string,
  pool: Pool,
  request: ForeignRequest,
  token: string | undefined,
): Promise<ForeignAnswer> {
  const { pathname, search } = new URL(url)
  const { callMs, idleMs } = target.timeouts
  try {
    const { statusCode, headers, body } = await pool.request({
      method: request.method,
      path: request.path === '' ? pathname + search : request.path,
      headers: {
        ...plainHeaders(request.headers),
        ...forwardedHeaders(target, request.headers),
        ...target.headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: request.body ?? null,
      headersTimeout: callMs,
      bodyTimeout: idleMs,
    })
    if (statusCode !== 401) return { status: statusCode, headers, body }
    await body.dump()
    throw credentialsRefused(target.name)
  } catch (error) {
    // Those of the network have no prefix, as ours and Node's own have.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_'
    if (!(error instanceof Error) || code.startsWith('ERR_')) throw error
    throw new BackendUnreachableError(target.name, networkReason(error, true), true, error)
  }
}

function plainHeaders(headers: ForeignRequest['headers']): Record<string, string> {
  const chosen = REQUEST_HEADERS.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return Object.fromEntries(chosen)
}
