// Sessions with an open GET stream, as clients keep them: many at once, over sockets that read and throw away.
import { connect } from 'node:net'
import { introduction, requestBytes } from './requests.mjs'

const AT_ONCE = 64
const CHANGED = 'notifications/tools/list_changed'

/** Opens `count` sessions, each with its stream. `heard()` counts the changes that they were told of. */
export async function openStreams(gateway, count) {
  const sockets = []
  let heard = 0
  let left = count
  const place = { port: gateway.port, path: '/mcp', headers: {} }
  const opener = async () => {
    while (left-- > 0) {
      const session = await openSession(place)
      const socket = await openStream(place, session)
      socket.on('data', (chunk) => (heard += occurrences(chunk)))
      sockets.push(socket)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, opener))
  return {
    heard: () => heard,
    close: () => sockets.forEach((socket) => socket.destroy()),
  }
}

/** On a connection that ends with it: the session's stream is what stays. */
async function openSession(place) {
  const opening = { era: 'legacy', id: 1, method: 'initialize', params: introduction }
  const first = await exchange(place, requestBytes(place, opening), '200')
  const id = /mcp-session-id: *(\S+)/i.exec(first.head)[1]
  const headers = { 'Mcp-Session-Id': id }
  const told = { era: 'legacy', method: 'notifications/initialized' }
  const second = await exchange(
    place,
    requestBytes({ ...place, headers }, told),
    '202',
    first.socket,
  )
  second.socket.destroy()
  return id
}

async function openStream(place, session) {
  const lines = [
    'GET /mcp HTTP/1.1',
    `Host: 127.0.0.1:${place.port}`,
    'Accept: text/event-stream',
    `Mcp-Session-Id: ${session}`,
  ]
  const { socket } = await exchange(place, `${lines.join('\r\n')}\r\n\r\n`, '200')
  return socket
}

/** One request and the head of its answer. */
function exchange({ port }, bytes, status, socket = connect(port, '127.0.0.1').setNoDelay(true)) {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', (chunk) => {
      socket.off('error', reject)
      const head = chunk.latin1Slice()
      if (!head.startsWith(`HTTP/1.1 ${status}`)) return reject(new Error(head.slice(0, 400)))
      // Who resets a stream in the end does so on purpose.
      socket.on('error', () => socket.destroy())
      resolve({ head, socket })
    })
    socket.write(bytes)
  })
}

function occurrences(chunk) {
  let count = 0
  for (let at = chunk.indexOf(CHANGED); at !== -1; at = chunk.indexOf(CHANGED, at + 1)) count++
  return count
}
