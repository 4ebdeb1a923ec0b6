// A load of tools/call over keep-alive connections. Plain `node:net` and prepared bytes, so that the one who
// measures costs less than the one who is measured.
import { connect } from 'node:net'

/**
 * Calls for `seconds` over `connections`, each waiting for its answer before the next call.
 * Returns calls per second and latencies in milliseconds. An answer that is not a result ends it with an error.
 */
export async function load({ port, headers, tool, connections, seconds }) {
  const latencies = []
  const until = performance.now() + seconds * 1000
  const drivers = Array.from({ length: connections }, (_, id) =>
    drive(port, requestBytes(port, headers, tool, id), until, latencies),
  )
  await Promise.all(drivers)
  latencies.sort((a, b) => a - b)
  return {
    callsPerSecond: latencies.length / seconds,
    p50: latencies[Math.floor(latencies.length * 0.5)],
    p99: latencies[Math.floor(latencies.length * 0.99)],
  }
}

/** Connections share a session, so each has an id of its own: a session runs no two requests of one id. */
function requestBytes(port, headers, tool, id) {
  const params = { name: tool, arguments: { message: 'hello' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })
  const lines = [
    'POST /mcp HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

function drive(port, request, until, latencies) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    let sentAt = 0
    let missing = 0
    let head = Buffer.alloc(0)
    const send = () => {
      sentAt = performance.now()
      socket.write(request)
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      if (missing === 0) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        if (end === -1) return
        const text = head.toString('latin1', 0, end)
        const length = /content-length: (\d+)/i.exec(text)?.[1]
        const isResult = head.includes('"result":', end)
        if (!text.startsWith('HTTP/1.1 200') || length === undefined || !isResult) {
          return reject(new Error(`unexpected answer: ${head.toString('utf8', 0, 400)}`))
        }
        missing = Number(length) - (head.length - end - 4)
        head = Buffer.alloc(0)
      } else missing -= chunk.length
      if (missing > 0) return
      const now = performance.now()
      latencies.push(now - sentAt)
      if (now < until) return send()
      socket.end()
      resolve()
    })
  })
}
