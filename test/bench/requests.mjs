// Requests of both eras, as bytes for the load and as calls of their own.
const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const META = 'io.modelcontextprotocol/'
const client = { name: 'bench', version: '1' }
const TYPES = {
  'Content-Type': 'application/json',
  Accept: 'application/json, text/event-stream',
}

/** One message as it is sent, its head included. */
export function requestBytes({ port, path, headers }, { era, id, method, params }) {
  const { body, fields } = message(era, id, method, params)
  const all = { Host: `127.0.0.1:${port}`, ...TYPES, ...fields, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  const head = [`POST ${path} HTTP/1.1`, ...lines, `Content-Length: ${Buffer.byteLength(body)}`]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** What `initialize` says; the modern era has none. */
export const introduction = { protocolVersion: LEGACY, capabilities: {}, clientInfo: client }

/** Opens a session of the older era. Returns the headers that its requests have. */
export async function openSession(place) {
  const response = await post(place, message('legacy', 0, 'initialize', introduction))
  await result(response)
  const headers = {
    'Mcp-Session-Id': response.headers.get('mcp-session-id'),
    'MCP-Protocol-Version': LEGACY,
  }
  const told = { body: '{"jsonrpc":"2.0","method":"notifications/initialized"}', fields: headers }
  await (await post(place, told)).body?.cancel()
  return headers
}

/** The text of one result of the modern era. */
export async function ask(place, method, params = {}) {
  return result(await post(place, message('modern', 0, method, params)))
}

function message(era, id, method, params) {
  if (era === 'legacy') {
    return { body: JSON.stringify({ jsonrpc: '2.0', id, method, params }), fields: {} }
  }
  const meta = {
    [`${META}protocolVersion`]: MODERN,
    [`${META}clientInfo`]: client,
    [`${META}clientCapabilities`]: {},
  }
  const fields = { 'MCP-Protocol-Version': MODERN, 'Mcp-Method': method }
  if (params.name !== undefined) fields['Mcp-Name'] = params.name
  const whole = { jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }
  return { body: JSON.stringify(whole), fields }
}

function post({ port, path, headers }, { body, fields }) {
  const url = `http://127.0.0.1:${port}${path}`
  return fetch(url, { method: 'POST', headers: { ...TYPES, ...headers, ...fields }, body })
}

async function result(response) {
  const text = await response.text()
  const answer = text.startsWith('{') ? text : /^data: (\{.*)$/m.exec(text)?.[1]
  const value = answer === undefined ? undefined : JSON.parse(answer).result
  if (value === undefined) throw new Error(`unexpected answer: ${text.slice(0, 400)}`)
  return value
}
