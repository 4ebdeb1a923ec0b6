// The whole OAuth story, each line checked as it is told. Arguments: the gateway, another resource of the same
// authorization server, and the folder of the files server. Ends with 1 at the first thing that does not hold.
import { auth } from '@modelcontextprotocol/client'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { Browser } from './browser.mjs'
import { connect, LINES } from './clients.mjs'
import { Host } from './host.mjs'

const [GATEWAY, ELSEWHERE, FILES] = process.argv.slice(2)
const METADATA = GATEWAY.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')

async function step(title, check) {
  try {
    await check()
  } catch (error) {
    console.log(`✗ ${title}`)
    console.error(error)
    process.exit(1)
  }
  console.log(`✓ ${title}`)
}

/** One `initialize`, with whatever credentials. */
async function knock(headers = {}, query = '') {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'knock' } }
  const response = await fetch(GATEWAY + query, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  })
  await response.body?.cancel()
  return { status: response.status, challenge: response.headers.get('www-authenticate') ?? '' }
}
const bearer = (token) => ({ authorization: `Bearer ${token}` })
const textOf = ({ content }) => content.map((it) => it.text).join('\n')
const namesIn = async (connection) =>
  (await connection.use((client) => client.listTools())).tools.map((it) => it.name)

let issuer
await step('without a token: 401, which names the metadata and the scope to ask for', async () => {
  const { status, challenge } = await knock()
  assert.equal(status, 401)
  assert.equal(challenge, `Bearer resource_metadata="${METADATA}", scope="mcp"`)
})

await step('the metadata names the authorization server (RFC 9728)', async () => {
  const metadata = await (await fetch(METADATA)).json()
  assert.equal(metadata.resource, GATEWAY)
  assert.equal(metadata.authorization_servers.length, 1)
  issuer = metadata.authorization_servers[0]
})

await step('which says what it can do (RFC 8414)', async () => {
  const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()
  assert.equal(metadata.issuer, issuer)
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
  assert.ok(metadata.registration_endpoint)
})

for (const [line, sdk] of Object.entries(LINES)) {
  const browser = new Browser('ada')
  const host = new Host(browser)
  let connection
  const path = ({ url }) => new URL(url).pathname

  await step(
    `${line}: the client finds its way from the 401, registers, and ada logs in`,
    async () => {
      connection = await connect(sdk, GATEWAY, host)
      const traffic = host.traffic.map((it) => `${it.method} ${path(it)} ${it.status}`)
      const order = [
        'POST /mcp 401',
        `GET ${path({ url: METADATA })} 200`,
        'GET /.well-known/oauth-authorization-server 200',
        'POST /reg 201',
        'POST /token 200',
        'POST /mcp 200',
      ]
      const firsts = [...new Set(traffic)].filter((it) => order.includes(it))
      assert.deepEqual(firsts, order, traffic.join('\n'))
    },
  )

  await step(`${line}: with PKCE (S256), and for this gateway alone (RFC 8707)`, async () => {
    const [{ searchParams }] = host.visited
    assert.equal(searchParams.get('code_challenge_method'), 'S256')
    assert.equal(searchParams.get('resource'), GATEWAY)
    const exchange = host.traffic.find((it) => path(it) === '/token')
    const sent = new URLSearchParams(exchange.body)
    assert.ok(sent.get('code_verifier'))
    assert.equal(sent.get('resource'), GATEWAY)
    assert.deepEqual(browser.asked, [['mcp']])
    const token = host.tokens().access_token
    const { iss, aud, sub, scope } = decodeJwt(token)
    assert.deepEqual(
      { iss, aud, sub, scope },
      { iss: issuer, aud: GATEWAY, sub: 'ada', scope: 'mcp' },
    )
    assert.equal(decodeProtectedHeader(token).typ, 'at+jwt')
  })

  await step(`${line}: lists the tools of both servers, and calls one`, async () => {
    const names = await namesIn(connection)
    for (const it of ['files__read_text_file', 'files__write_file', 'memory__delete_entities']) {
      assert.ok(names.includes(it), `${it} in ${names}`)
    }
    const given = { name: 'files__read_text_file', arguments: { path: 'hello.txt' } }
    assert.match(textOf(await connection.use((client) => client.callTool(given))), /Hello/)
    assert.equal(host.visited.length, 1)
  })

  await step(
    `${line}: writing needs more: 403 insufficient_scope, ada allows it, it is written`,
    async () => {
      const given = { path: `ada/${line}.txt`, content: `by ${line}` }
      const call = { name: 'files__write_file', arguments: given }
      const result = await connection.use((client) => client.callTool(call))
      assert.ok(!result.isError, textOf(result))
      const refused = host.traffic.find((it) => it.status === 403)
      assert.equal(
        refused?.challenge,
        `Bearer error="insufficient_scope", resource_metadata="${METADATA}", scope="mcp files:write"`,
      )
      assert.deepEqual(browser.asked, [['mcp'], ['files:write']])
      assert.equal(decodeJwt(host.tokens().access_token).scope, 'mcp files:write')
      assert.equal(await readFile(`${FILES}/${given.path}`, 'utf8'), given.content)
    },
  )

  await step(`${line}: a rule looks at arguments: ada does not write in bob's folder`, async () => {
    for (const folder of ['bob', 'ada/../bob']) {
      const given = { path: `${folder}/${line}.txt`, content: 'x' }
      const call = { name: 'files__write_file', arguments: given }
      await assert.rejects(
        connection.use((client) => client.callTool(call)),
        /Unknown tool/i,
      )
      await assert.rejects(readFile(`${FILES}/bob/${line}.txt`), { code: 'ENOENT' })
    }
  })

  await step(`${line}: for bob, tools that a rule denies him are not there`, async () => {
    const bobs = await connect(sdk, GATEWAY, new Host(new Browser('bob')))
    const names = await namesIn(bobs)
    assert.ok(names.includes('memory__read_graph'))
    assert.deepEqual(
      names.filter((it) => it.includes('delete')),
      [],
    )
    const call = { name: 'memory__delete_entities', arguments: { entityNames: ['x'] } }
    const refusal = await bobs.use((client) => client.callTool(call)).catch((error) => error)
    const absent = await bobs
      .use((client) => client.callTool({ ...call, name: 'memory__no_such_tool' }))
      .catch((error) => error)
    assert.equal(refusal.message, absent.message.replace('no_such_tool', 'delete_entities'))
    await bobs.close()
  })

  await step(
    `${line}: a token in the URL is refused, a changed one too, the same in its header is not`,
    async () => {
      const token = host.tokens().access_token
      assert.equal((await knock(bearer(token))).status, 200)
      const inUrl = await knock({}, `?access_token=${token}`)
      assert.equal(inUrl.status, 400)
      assert.match(inUrl.challenge, /error="invalid_request"/)
      const [header, , signature] = token.split('.')
      const claims = { ...decodeJwt(token), scope: 'mcp files:write admin' }
      const changed = Buffer.from(JSON.stringify(claims)).toString('base64url')
      const forged = await knock(bearer(`${header}.${changed}.${signature}`))
      assert.equal(forged.status, 401)
      assert.match(forged.challenge, /error="invalid_token"/)
    },
  )

  await step(`${line}: at /mcp/files, one server alone, with a token for that alone`, async () => {
    const other = new Browser('ada')
    const alone = new Host(other)
    const files = await connect(sdk, `${GATEWAY}/files`, alone)
    assert.ok((await namesIn(files)).includes('read_text_file'))
    const token = alone.tokens().access_token
    assert.equal(decodeJwt(token).aud, `${GATEWAY}/files`)
    for (const elsewhere of ['', '/memory']) {
      assert.equal((await knock(bearer(token), elsewhere)).status, 401)
    }
    const write = { path: `ada/${line} alone.txt`, content: 'x' }
    const call = { name: 'write_file', arguments: write }
    assert.ok(!(await files.use((client) => client.callTool(call))).isError)
    assert.deepEqual(other.asked, [['mcp'], ['files:write']])
    await files.close()
  })
  await connection.close()
}

await step('a good token of the same issuer for somebody else is refused', async () => {
  const host = new Host(new Browser('ada'))
  host.validateResourceURL = async () => new URL(ELSEWHERE)
  const options = { serverUrl: GATEWAY, scope: 'mcp' }
  await auth(host, options)
  await auth(host, {
    ...options,
    authorizationCode: host.callback.get('code'),
    iss: host.callback.get('iss'),
  })
  const token = host.tokens().access_token
  assert.equal(decodeJwt(token).aud, ELSEWHERE)
  const { status, challenge } = await knock(bearer(token))
  assert.equal(status, 401)
  assert.match(challenge, /error="invalid_token"/)
})

console.log('The whole story holds.')
