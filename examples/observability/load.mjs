// Two agents at work, until they are stopped: "research", on the SDK and 2025-11-25, is ada's; "ci-bot", which speaks
// 2026-07-28 by hand, is a machine's. They do well mostly, and everything that can go wrong goes wrong now and then.
// `node load.mjs URL`, where URL is the gateway's.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const url = process.argv[2]
const VERSION = '2026-07-28'
const PREFIX = 'io.modelcontextprotocol/'

/** Agents that trace begin here: the gateway's spans, and servers', are below. */
const traceparent = () =>
  `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
const call = (name) => ['tools/call', { name, arguments: {} }]
const pick = (many) => many[Math.floor(Math.random() * many.length)]

const RESEARCH = [
  call('search__find'),
  call('search__find'),
  call('search__find'),
  call('search__summarize'),
  call('translate__translate'),
  call('tickets__open'),
  call('tickets__delete_all'),
  call('search__made_up'),
  ['tools/list', {}],
  ['prompts/get', { name: 'tickets__triage' }],
  ['resources/read', { uri: 'notes://search/today' }],
]
const CI_BOT = [
  call('tickets__open'),
  call('tickets__close'),
  call('tickets__close'),
  call('search__find'),
  call('translate__translate'),
  call('tickets__delete_all'),
  ['tools/list', {}],
]

/** What goes wrong is in the gateway's books. */
const whatever = (promise) => promise.catch(() => undefined)

async function research() {
  const headers = { authorization: 'Bearer key-of-ada-for-the-example' }
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  const client = new Client({ name: 'research', version: '1' })
  await client.connect(transport)
  for (let done = 0; done < 20; done++) {
    const [method, params] = pick(RESEARCH)
    const traced = { ...params, _meta: { traceparent: traceparent() } }
    await whatever(client.request({ method, params: traced }, ResultSchema))
    await sleep(100)
  }
  await transport.terminateSession()
  await client.close()
}

let lastId = 0
async function ask(method, params) {
  const _meta = {
    [`${PREFIX}protocolVersion`]: VERSION,
    [`${PREFIX}clientInfo`]: { name: 'ci-bot', version: '3' },
    [`${PREFIX}clientCapabilities`]: {},
    traceparent: traceparent(),
  }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: 'Bearer key-of-ci-for-the-example',
      'mcp-protocol-version': VERSION,
      'mcp-method': method,
      ...(params.name === undefined ? {} : { 'mcp-name': params.name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params: { ...params, _meta } }),
  })
  await response.text()
}

async function build() {
  for (let done = 0; done < 10; done++) {
    await whatever(ask(...pick(CI_BOT)))
    await sleep(150)
  }
  // More at once than the limit lets through.
  await Promise.all(Array.from({ length: 12 }, () => whatever(ask(...call('search__find')))))
}

async function forever(work) {
  for (;;) {
    await whatever(work())
    await sleep(200)
  }
}

await Promise.all([forever(research), forever(build)])
