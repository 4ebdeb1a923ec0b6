// Stands between the suite, which calls its fixture's things by fixed names, and a gateway that federates several
// fixtures: gives each name and URI the form under which the gateway exposes that of one target, and back. Nothing
// else of a message is touched.
import { createServer, request as httpRequest } from 'node:http'

const NAMED = new Set(['tools/call', 'prompts/get'])
const SCHEME = 'test://'

/** Listens on a free port in front of `gateway`. Gives the URL for the suite. */
export async function startExposedNames(gateway, target) {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => relay(request, body, response))
  })
  const prefix = `${target}__`
  const toUri = (uri) => uri.replace(SCHEME, `${SCHEME}${target}/`)

  function relay({ method, headers }, body, response) {
    const { 'content-length': _, ...kept } = headers
    const onward = httpRequest(gateway, { method, headers: kept }, (answer) => {
      const { 'content-length': _length, ...answered } = answer.headers
      response.writeHead(answer.statusCode, answered)
      // Headers at once: an event stream may stay silent for long.
      response.flushHeaders()
      forwardLines(answer, response)
    })
    response.on('close', () => onward.destroy())
    onward.on('error', () => response.destroy())
    onward.end(body === '' ? undefined : JSON.stringify(exposed(JSON.parse(body))))
  }

  function exposed(message) {
    const { method, params } = message
    const changed = { ...params }
    if (NAMED.has(method)) changed.name = prefix + params.name
    else if (typeof params?.uri === 'string') changed.uri = toUri(params.uri)
    else if (params?.ref?.name !== undefined) {
      changed.ref = { ...params.ref, name: prefix + params.ref.name }
    } else if (params?.ref?.uri !== undefined) {
      changed.ref = { ...params.ref, uri: toUri(params.ref.uri) }
    } else return message
    return { ...message, params: changed }
  }

  /** Line by line: JSON is one line, and so is each field of an event. */
  function forwardLines(answer, response) {
    let rest = ''
    answer.setEncoding('utf8')
    answer.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) response.write(`${original(line)}\n`)
    })
    answer.on('end', () => response.end(original(rest)))
  }

  function original(line) {
    const start = line.indexOf('{')
    if (start === -1) return line
    const message = JSON.parse(line.slice(start))
    const { result } = message
    for (const [list, key] of [
      ['tools', 'name'],
      ['prompts', 'name'],
      ['resources', 'uri'],
      ['resourceTemplates', 'uriTemplate'],
    ]) {
      if (!Array.isArray(result?.[list])) continue
      result[list] = result[list].filter((item) => isOurs(item[key]))
    }
    const text = JSON.stringify(message)
      .replaceAll(`"${prefix}`, '"')
      .replaceAll(`"${SCHEME}${target}/`, `"${SCHEME}`)
    return line.slice(0, start) + text
  }

  const isOurs = (id) => id.startsWith(prefix) || id.startsWith(`${SCHEME}${target}/`)

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A suite that has ended must not be kept waiting for.
  server.unref()
  return `http://localhost:${server.address().port}${new URL(gateway).pathname}`
}
