/** Processes that reach each other, and then do not, or not as they should: docs/reliability.md, "Replicas". */
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openSession } from '../support/raw-client.js'
import { startReplicas } from '../support/replicas.js'
import { ADA, authentication } from '../support/two-principals.js'

const child = (name: string) => ({
  scope: 'session',
  command: process.execPath,
  args: [fileURLToPath(new URL(`../support/stdio-servers/${name}.mjs`, import.meta.url))],
})

describe('a request that is given', () => {
  it('may have whatever headers a request may have', async () => {
    await using it = await startReplicas(2, { targets: [{ name: 'a', stdio: child('good') }] })
    const [home = '', other = ''] = it.urls
    const headers = { trailer: 'x-a', te: 'trailers', expect: '100-continue' }
    const session = (await openSession(home, undefined, {}, headers)).at(other)
    expect((await session.call('a__echo', { message: 'x' })).json).toMatchObject({ result: {} })
  })

  it('is refused as where it is served, at the address that the client knows', async () => {
    const it = await startReplicas(2, {
      targets: [{ name: 'a', stdio: child('good') }],
      authentication: {
        ...authentication,
        jwt: [{ issuer: 'https://i', audiences: ['a'], jwks: { url: 'http://127.0.0.1:1/' } }],
      },
      authorization: { toolScopes: { a__echo: ['write'] } },
    })
    await using _ = it
    const [home = '', other = ''] = it.urls
    const session = await openSession(`${home}/a`, undefined, {}, ADA)
    const here = await session.call('echo')
    const there = await session.at(`${other}/a`).call('echo')
    expect(here.status).toBe(403)
    expect(there.status).toBe(403)
    const challenge = there.headers['www-authenticate']
    expect(challenge).toContain(`resource_metadata="${new URL(other).origin}/.well-known`)
    expect(challenge).toContain('/mcp/a"')
    expect(here.headers['www-authenticate']).toContain('/mcp/a"')
  })
})
