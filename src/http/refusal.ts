/** A request turned away before it is anybody's call: with an HTTP status, and a JSON-RPC error as body. */
import type { ServerResponse } from 'node:http'
import type { JsonObject, RequestId } from '../../backends/index.js'
import { ErrorCode, errorText, JsonRpcError, RawJson } from '../../backends/index.js'

export class RefusedError extends Error {
  readonly code = 'ERR_REFUSED'
  readonly status: number
  readonly rpcCode: number
  readonly id: RequestId | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly data: JsonObject | undefined

  constructor(
    status: number,
    message: string,
    options: {
      readonly rpcCode?: number
      readonly id?: RequestId | undefined
      readonly headers?: Readonly<Record<string, string>>
      readonly data?: JsonObject
    } = {},
  ) {
    super(message)
    this.status = status
    this.rpcCode = options.rpcCode ?? ErrorCode.InvalidRequest
    this.id = options.id
    this.headers = options.headers ?? {}
    this.data = options.data
  }
}

/** Writes a refusal, where nothing has been written yet; else ends the connection, which is all that is left. */
export function writeRefusal(response: ServerResponse, error: RefusedError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const data = error.data === undefined ? undefined : RawJson.fromValue(error.data)
  const body = errorText(error.id, new JsonRpcError(error.rpcCode, error.message, data))
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...error.headers,
  })
  response.end(body)
}
