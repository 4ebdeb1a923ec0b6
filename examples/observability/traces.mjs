// The smallest collector there can be: takes traces over OTLP (JSON), keeps the newest thousand spans, and shows them as text, each
// trace with the agent, the tool, and whose time it took. `?q=` shows lines with these words, `?ms=` those that took as long.
// `node traces.mjs [port]` prints `listening URL`. With Docker there is Jaeger instead.
import { createServer } from 'node:http'

const KEPT = 1_000
const SERVER = 2
const WIDTH = 40
let spans = []

const valueOf = (value) => Object.values(value)[0]
const millis = (nanos) => Number(BigInt(nanos) / 1_000n) / 1_000

function take(body) {
  for (const { scopeSpans } of JSON.parse(body).resourceSpans) {
    for (const span of scopeSpans.flatMap((it) => it.spans)) {
      const attributes = Object.fromEntries(
        span.attributes.map((it) => [it.key, valueOf(it.value)]),
      )
      spans.push({ ...span, attributes })
    }
  }
  spans = spans.slice(-KEPT)
}

/** As wide as its part of the whole. */
function bar(from, length, whole) {
  const cells = (part) => Math.round((part / whole) * WIDTH)
  return (' '.repeat(cells(from)) + '█'.repeat(Math.max(1, cells(length)))).padEnd(WIDTH + 1)
}

function linesOf(server) {
  const start = millis(server.startTimeUnixNano)
  const whole = millis(server.endTimeUnixNano) - start
  const asked = spans.filter((it) => it.parentSpanId === server.spanId)
  const below = asked.map((it) => {
    const from = millis(it.startTimeUnixNano) - start
    const length = millis(it.endTimeUnixNano) - millis(it.startTimeUnixNano)
    const who = it.attributes['mcp_junction.target']
    return `    ${bar(from, length, whole)} ${length.toFixed(1)} ms  ${who}: ${it.name}`
  })
  const of = (name) => server.attributes[`mcp_junction.${name}`] ?? ''
  const upstream = Number(of('upstream_ms') || 0)
  const shares = `gateway ${Math.max(0, whole - upstream).toFixed(1)} ms, server ${upstream.toFixed(1)} ms`
  const at = new Date(start).toISOString().slice(11, 23)
  const who = `${of('client.name')} (${of('principal')})`
  const head = `${at}  ${server.name}  ${who}  ${of('outcome')}  ${shares}  trace ${server.traceId}`
  return [head, `    ${bar(0, whole, whole)} ${whole.toFixed(1)} ms  gateway`, ...below]
}

function page({ searchParams }) {
  const words = searchParams.get('q') ?? ''
  const least = Number(searchParams.get('ms') ?? 0)
  const servers = spans.filter(
    (it) =>
      it.kind === SERVER && millis(it.endTimeUnixNano) - millis(it.startTimeUnixNano) >= least,
  )
  const traces = servers.toReversed().map((it) => linesOf(it).join('\n'))
  return `${traces.filter((it) => it.includes(words)).join('\n\n')}\n`
}

async function answer(request, response) {
  const { method, url } = request
  if (method === 'POST') {
    const chunks = await request.toArray()
    if (url === '/v1/traces') take(Buffer.concat(chunks).toString())
    return response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }
  const text = page(new URL(url, 'http://localhost'))
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
}

const http = createServer((request, response) => void answer(request, response))
http.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${http.address().port}`)
})
