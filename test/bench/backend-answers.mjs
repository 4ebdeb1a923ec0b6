// What the server of the bench answers: text that is made once, around the id of the request.

/** Sizes of results, in bytes of text. Each has a tool that answers with JSON and one that answers with an event stream. */
export const SIZES = [100, 64 * 1024, 1024 * 1024, 8 * 1024 * 1024, 32 * 1024 * 1024]

const VERSION = '2025-11-25'
const identity = { name: 'bench', version: '1' }
const cacheHints = { ttlMs: 3_600_000, cacheScope: 'public' }
const callTools = SIZES.flatMap((size) => [toolOf(`json_${size}`), toolOf(`sse_${size}`)])
const textOfSize = new Map(SIZES.map((size) => [String(size), callResult(size)]))
const small = callResult(100)

/**
 * The answer to one request, as pieces to be written one after the other. Paths are `/<era>/<tools>/…`, where `<tools>` is
 * how many there are, or `calls` for those of all sizes. `canned` is the result of `tools/list` at `/canned`.
 */
export function answerTo({ path, method, id, tool }, { canned, generation }) {
  const [, era, tools] = path.split('/')
  const isModern = era === 'modern'
  if (method === 'tools/call') return callAnswer(id, tool, isModern)
  if (method === 'tools/list') {
    if (era === 'canned') return jsonAnswer(id, [canned])
    const list = tools === 'calls' ? callTools : generatedTools(Number(tools), generation)
    return jsonAnswer(id, [text({ tools: list }, isModern, cacheHints)])
  }
  if (method === 'initialize' && !isModern) {
    return jsonAnswer(id, [text(introduction(era === 'watched'))])
  }
  if (method === 'server/discover' && isModern) {
    const offer = { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
    return jsonAnswer(id, [text(offer, true, cacheHints)])
  }
  if (method === 'ping') return jsonAnswer(id, ['{}'])
  const error = '{"code":-32601,"message":"Method not found"}'
  return http('application/json', [Buffer.from(`{"jsonrpc":"2.0","id":${id},"error":${error}}`)])
}

function callAnswer(id, tool, isModern) {
  const cut = tool.indexOf('_')
  const form = tool.slice(0, cut)
  const result = textOfSize.get(tool.slice(cut + 1)) ?? small
  const payload = isModern ? result.modern : result.legacy
  return form === 'sse' ? eventAnswer(id, payload) : jsonAnswer(id, [payload])
}

function jsonAnswer(id, result) {
  return http('application/json', [`{"jsonrpc":"2.0","id":${id},"result":`, ...result, '}'])
}

/** As the SDK's servers do: an event in an answer without a length. */
function eventAnswer(id, payload) {
  const head = `event: message\ndata: {"jsonrpc":"2.0","id":${id},"result":`
  const length = head.length + payload.length + 3
  return [
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n' +
      `${length.toString(16)}\r\n${head}`,
    payload,
    '}\n\n\r\n0\r\n\r\n',
  ]
}

function http(type, pieces) {
  const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0)
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`
  return [head, ...pieces]
}

function callResult(size) {
  const result = { content: [{ type: 'text', text: 'x'.repeat(size) }] }
  return { legacy: bytes(text(result)), modern: bytes(text(result, true)) }
}

/** Little text is cheaper to write as such, together with what is around it. */
function bytes(content) {
  return content.length < 4_096 ? content : Buffer.from(content)
}

function text(result, isModern = false, hints = {}) {
  return JSON.stringify(isModern ? { resultType: 'complete', ...result, ...hints } : result)
}

function introduction(listChanged) {
  const tools = listChanged ? { listChanged } : {}
  return { protocolVersion: VERSION, capabilities: { tools }, serverInfo: identity }
}

function generatedTools(count, generation) {
  return Array.from({ length: count }, (_, index) => toolOf(`tool_${index}`, generation))
}

/** About as long as what real servers say of a tool. */
function toolOf(name, generation = 0) {
  const path = { type: 'string', description: 'Path of the file, relative to the folder served.' }
  const limit = { type: 'integer', minimum: 1, description: 'Lines to read at most.' }
  return {
    name,
    title: `The tool ${name}`,
    description: `Reads the complete contents of a file and gives them as text, edition ${generation}.`,
    inputSchema: { type: 'object', properties: { path, limit, message: { type: 'string' } } },
    annotations: { readOnlyHint: true, idempotentHint: true },
  }
}
