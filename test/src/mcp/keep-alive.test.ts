import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EventBudget } from '../../../src/mcp/event-budget.js'
import { EventStream, KeepAlive } from '../../../src/mcp/event-stream.js'
import { PostResponse } from '../../../src/mcp/post-response.js'
import { ResumableStream } from '../../../src/mcp/resumable-stream.js'
import { waitUntil } from '../../support/wait-until.js'

const stream = (): ResumableStream => new ResumableStream('s', false, new EventBudget())

/** A real connection: what the server does with its response, and what the client has read of it so far. */
async function connect(serve: (response: ServerResponse) => void) {
  const server = createServer((_, response) => serve(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const read = { text: '', response: undefined as IncomingMessage | undefined }
  request({ port, host: '127.0.0.1', agent: false }, (response) => {
    read.response = response
    response.setEncoding('utf8').on('data', (chunk: string) => (read.text += chunk))
  }).end()
  return {
    read,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('keep-alive', () => {
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }),
  )
  afterEach(() => void vi.useRealTimers())

  it('puts comments on a quiet stream, and tells proxies not to hold it back [R82]', async () => {
    const keepAlive = new KeepAlive()
    let opened = false
    await using connection = await connect((response) => {
      keepAlive.add(new EventStream(response))
      opened = true
    })
    await waitUntil(() => opened, 'the stream to open')
    for (const comments of [1, 2]) {
      vi.advanceTimersByTime(15_000)
      await waitUntil(
        () => connection.read.text === ':\r\n\r\n'.repeat(comments),
        `${comments} comments`,
      )
    }
    expect(connection.read.response?.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'x-accel-buffering': 'no',
      'cache-control': 'no-cache, no-transform',
    })
    keepAlive.close()
  })

  it('turns the answer to a slow call into a stream, and puts the answer on it [R82]', async () => {
    const keepAlive = new KeepAlive()
    let reply: PostResponse | undefined
    await using connection = await connect((response) => {
      reply = new PostResponse(response, keepAlive, () => stream(), 1, false)
    })
    await waitUntil(() => reply !== undefined, 'the call to arrive')
    vi.advanceTimersByTime(30_000)
    await waitUntil(() => connection.read.text.includes(':'), 'a comment')
    reply?.answer('{"jsonrpc":"2.0","id":1,"result":{}}')
    await waitUntil(() => connection.read.response?.complete === true, 'the end')
    expect(connection.read.text).toMatch(
      /^(:\r\n\r\n)+id: s.1\nevent: message\ndata: \{"jsonrpc":"2.0","id":1,"result":\{\}\}\n\n$/,
    )
    keepAlive.close()
  })

  it('leaves the answer to a quick call alone', async () => {
    const keepAlive = new KeepAlive()
    await using connection = await connect((response) => {
      new PostResponse(response, keepAlive, () => stream(), 1, false).answer(
        '{"jsonrpc":"2.0","id":1,"result":{}}',
      )
    })
    await waitUntil(() => connection.read.response?.complete === true, 'the end')
    vi.advanceTimersByTime(60_000)
    expect(connection.read.response?.headers['content-type']).toBe('application/json')
    expect(connection.read.text).toBe('{"jsonrpc":"2.0","id":1,"result":{}}')
    keepAlive.close()
  })
})
