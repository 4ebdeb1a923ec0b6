// The limit of the runtime: `node:http` and undici's `dispatch`, and nothing between. Takes the port of the server
// behind it; prints its own.
import { createServer } from 'node:http'
import { Pool } from 'undici'

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`)

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const { 'content-type': type, accept } = request.headers
    pool.dispatch(
      {
        method: request.method,
        path: request.url,
        headers: { 'content-type': type, accept },
        body: Buffer.concat(chunks),
      },
      {
        onRequestStart() {},
        onResponseStart(_, status, headers) {
          const { 'content-type': answerType = 'text/plain', 'content-length': length } = headers
          const size = length === undefined ? {} : { 'content-length': length }
          response.writeHead(status, { 'content-type': answerType, ...size })
        },
        onResponseData(_, chunk) {
          response.write(chunk)
        },
        onResponseEnd() {
          response.end()
        },
        onResponseError() {
          response.destroy()
        },
      },
    )
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
