// The fastest MCP server that still is one, for any number of targets: `node:net`, and answers that are there already. Prints
// its port. Its parent may send `{canned}`, `{changesPerSecond}` or `{ask: 'counts'}`; the last is answered.
import { createServer } from 'node:net'
import { answerTo } from './backend-answers.mjs'

const HEAD_END = '\r\n\r\n'
const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const CHANGED = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'

const state = { canned: '{"tools":[]}', generation: 0 }
const counts = {}
const streams = new Set()
let storm

const server = createServer((socket) => {
  socket.setNoDelay(true)
  let pending = ''
  socket.on('error', () => socket.destroy())
  socket.on('close', () => streams.delete(socket))
  socket.on('data', (chunk) => {
    pending += chunk.latin1Slice()
    for (;;) {
      const headEnd = pending.indexOf(HEAD_END)
      if (headEnd === -1) return
      const head = pending.slice(0, headEnd)
      const bodyStart = headEnd + HEAD_END.length
      const end = bodyStart + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      if (pending.length < end) return
      serve(socket, head, pending.slice(bodyStart, end))
      pending = pending.slice(end)
    }
  })
})

function serve(socket, head, body) {
  const [verb, path] = head.slice(0, head.indexOf('\r\n')).split(' ')
  if (verb === 'GET' && path.startsWith('/watched/')) {
    streams.add(socket)
    return socket.write(STREAM_HEAD)
  }
  if (verb !== 'POST') return socket.write('HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n')
  // An id of ours or of a client's is a number or a plain string: no parser is needed to find it.
  const id = /"id":("[^"]*"|\d+)/.exec(body)?.[1]
  const method = /"method":"([^"]*)"/.exec(body)?.[1]
  counts[method] = (counts[method] ?? 0) + 1
  if (id === undefined) return socket.write('HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n')
  const tool = method === 'tools/call' ? /"name":"([^"]*)"/.exec(body)[1] : ''
  const pieces = answerTo({ path, method, id, tool }, state)
  if (pieces.every((it) => typeof it === 'string')) return socket.write(pieces.join(''))
  socket.cork()
  for (const piece of pieces) socket.write(piece)
  socket.uncork()
}

/** Each change is one: the list that is read after it is another than before. */
function sendChanges(perSecond) {
  clearInterval(storm)
  if (perSecond === 0) return
  const tick = 5
  let due = 0
  storm = setInterval(() => {
    for (due += (perSecond * tick) / 1000; due >= 1; due--) {
      state.generation++
      counts.changes = (counts.changes ?? 0) + 1
      const event = `event: message\ndata: ${CHANGED}\n\n`
      for (const socket of streams) socket.write(`${event.length.toString(16)}\r\n${event}\r\n`)
    }
  }, tick)
}

process.on('message', ({ canned, changesPerSecond, ask }) => {
  if (canned !== undefined) state.canned = Buffer.from(canned)
  if (changesPerSecond !== undefined) sendChanges(changesPerSecond)
  if (ask === 'counts') process.send({ counts })
})
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
