/** A JSON body as the answer to a POST, whole. */
import type { ServerResponse } from 'node:http'
import type { MessageText } from '../../backends/index.js'
import { byteLengthOf } from '../../backends/index.js'
import { cutWhenStalled } from '../http/stalled-reader.js'

export function answerWithJson(response: ServerResponse, status: number, body: MessageText): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': byteLengthOf(body),
  })
  if (typeof body === 'string') response.end(body)
  else {
    response.cork()
    for (const piece of body) response.write(piece)
    response.end()
    response.uncork()
  }
  cutWhenStalled(response)
}
