/** What both HTTP transports ask of a request before it is anybody's message, and how they answer when it is not. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Message } from '../../backends/index.js'
import { ErrorCode, InvalidMessageError, readMessages } from '../../backends/index.js'
import type { VirtualServer } from '../../federation/index.js'
import { tooLarge } from '../http/body.js'
import type { BodyLimits } from '../http/body-limits.js'
import { RefusedError, writeRefusal } from '../http/refusal.js'
import type { RequestObserver } from '../telemetry/observation.js'

/** Does the work of one request, and answers it where the work refuses or breaks. Never rejects. */
export async function answering(
  response: ServerResponse,
  onInternalError: (error: unknown) => void,
  work: () => void | Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof RefusedError) return writeRefusal(response, error)
    onInternalError(error)
    const rpcCode = ErrorCode.InternalError
    writeRefusal(response, new RefusedError(500, 'internal error in the gateway', { rpcCode }))
  }
}

/** Whoever observes a request hears that it was turned away, or that its work broke. */
export function noteRefusal(error: unknown, observation: RequestObserver | undefined): void {
  const { status, rpcCode } =
    error instanceof RefusedError ? error : { status: 500, rpcCode: ErrorCode.InternalError }
  observation?.refused(status, rpcCode)
}

/**
 * Whether there is room for a body that is larger than some servers take.
 * @throws RefusedError 413
 */
export function requireRoom(
  limits: BodyLimits,
  server: VirtualServer,
  messages: Messages,
  bytes: number,
): void {
  if (bytes <= limits.smallest) return
  for (const message of isBatch(messages) ? messages : [messages]) {
    const isRequest = !(message instanceof InvalidMessageError) && message.kind === 'request'
    const target = isRequest ? server.ownerOf(message.method, message.params.value) : undefined
    const most = limits.of(target)
    if (bytes > most) throw tooLarge(most, isRequest ? message.id : undefined)
  }
}

type Messages = Message | readonly (Message | InvalidMessageError)[]

/** Whether several messages came together. */
export function isBatch(
  messages: Messages,
): messages is readonly (Message | InvalidMessageError)[] {
  return Array.isArray(messages)
}

/** @throws RefusedError 400 for what is no JSON-RPC */
export function messagesIn(body: Buffer): Messages {
  try {
    return readMessages(body.toString('utf8'))
  } catch (error) {
    if (!(error instanceof InvalidMessageError)) throw error
    throw new RefusedError(400, error.message, { rpcCode: error.rpcCode, id: error.id })
  }
}

/** @throws RefusedError 415 */
export function requireContentType(request: IncomingMessage): void {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (type !== 'application/json')
    throw new RefusedError(415, 'the Content-Type must be application/json')
  if (encoding !== 'identity') throw new RefusedError(415, 'the body must not be encoded')
}

/**
 * A client that sends no Accept at all takes anything (RFC 9110 §12.5.1).
 * @throws RefusedError 406
 */
export function requireAccept(request: IncomingMessage, ...types: readonly string[]): void {
  const accept = request.headers.accept?.toLowerCase()
  if (accept === undefined || types.every((type) => accept.includes(type))) return
  const ranges = new Set(accept.split(',').map((range) => range.split(';', 1)[0]?.trim()))
  for (const type of types) {
    if (ranges.has(type) || ranges.has('*/*') || ranges.has(`${type.split('/', 1)[0]}/*`)) continue
    throw new RefusedError(406, `the Accept header must list ${types.join(' and ')}`)
  }
}

/** The id of the session that a request names. */
export function sessionHeader(request: IncomingMessage): string | undefined {
  const header = request.headers['mcp-session-id']
  return typeof header === 'string' && header !== '' ? header : undefined
}
