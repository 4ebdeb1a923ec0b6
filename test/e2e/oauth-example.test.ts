/** The example that tells the whole OAuth story checks itself; here it is run as its README says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.js'

const START = fileURLToPath(new URL('../../examples/oauth/start.mjs', import.meta.url))

function startExample(...options: readonly string[]) {
  const child = spawn(process.execPath, [START, ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const ended = once(child, 'close') as Promise<[number | null]>
  return { child, said, ended }
}

it('tells the whole story with both lines of the SDK, and ends well [R70][R71][R72][R73][R75]', async () => {
  const { said, ended } = startExample()
  const [code] = await ended
  // Noise of any part would hide what matters.
  expect(said.err).toBe('')
  expect(code).toBe(0)
  for (const step of [
    'without a token: 401, which names the metadata and the scope to ask for',
    'the metadata names the authorization server (RFC 9728)',
    'which says what it can do (RFC 8414)',
    ...['SDK 1', 'SDK 2'].flatMap((line) =>
      [
        'the client finds its way from the 401, registers, and ada logs in',
        'with PKCE (S256), and for this gateway alone (RFC 8707)',
        'lists the tools of both servers, and calls one',
        'writing needs more: 403 insufficient_scope, ada allows it, it is written',
        "a rule looks at arguments: ada does not write in bob's folder",
        'for bob, tools that a rule denies him are not there',
        'a token in the URL is refused, a changed one too, the same in its header is not',
        'at /mcp/files, one server alone, with a token for that alone',
      ].map((it) => `${line}: ${it}`),
    ),
    'a good token of the same issuer for somebody else is refused',
  ]) {
    expect(said.out).toContain(`✓ ${step}\n`)
  }
  expect(said.out).not.toContain('✗')
})

it('goes on with --keep until it is told to stop, and leaves nothing running', async () => {
  const { child, said, ended } = startExample('--keep')
  await waitUntil(() => said.out.includes('Still running'), 'the check to end')
  const [gateway = '', issuer = ''] = said.out.match(/http:\S+/g) ?? []
  expect((await fetch(gateway)).status).toBe(401)
  child.kill('SIGTERM')
  await ended
  for (const url of [gateway, issuer]) await expect(fetch(url)).rejects.toThrow('fetch failed')
})
