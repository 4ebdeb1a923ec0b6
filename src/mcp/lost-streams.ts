/**
 * A client comes back for the rest of a call's stream, and this process does not hold it. Another may, to which a
 * balancer leads sooner or later: the client is told to come again behind the same event, as a server may that
 * wants to be asked later (2025-11-25 basic/transports). After some seconds its calls are answered with an error;
 * without, a client would wait for an answer that nobody has.
 */
import type { ServerResponse } from 'node:http'
import { ErrorCode, errorText, JsonRpcError, sseMessage } from '../../backends/index.js'
import { RefusedError } from '../http/refusal.js'
import type { EventId } from './event-ids.js'
import { eventIdOf } from './event-ids.js'
import { EventStream } from './event-stream.js'

/** With four replicas in turns, one of a hundred clients is still led past the right one this often. */
const MAX_TIMES_SENT_ON = 16
const RETRY_MS = 250

const LOST = new JsonRpcError(
  ErrorCode.InternalError,
  'the process of the gateway that this was sent to is gone, or cannot be found again, and the answer with it; the call may have run',
)

/**
 * `maySendOn`: another process may hold the stream, and the client knows events without data.
 * @throws RefusedError 404 where nobody can be told which calls are lost, so that the client begins anew
 */
export function answerForLostStream(
  response: ServerResponse,
  { stream, calls = [], sequence, timesSentOn }: EventId,
  maySendOn: boolean,
): void {
  if (maySendOn && timesSentOn < MAX_TIMES_SENT_ON) {
    const id = eventIdOf(stream, sequence, timesSentOn + 1)
    // Where connections and not requests are balanced, this one would lead here again.
    response.shouldKeepAlive = false
    const events = new EventStream(response)
    events.write(`id: ${id}\nretry: ${RETRY_MS}\ndata: \n\n`)
    return events.end()
  }
  if (calls.length === 0) {
    throw new RefusedError(404, 'the rest of this stream is lost; begin anew with "initialize"')
  }
  const events = new EventStream(response)
  for (const id of calls) events.write(sseMessage(errorText(id, LOST)))
  events.end()
}
