/** The keys of an issuer, as they are published, rotated, lost and found. */
import { jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Jwks } from '../../../src/auth/jwks.js'
import { folderOf } from '../../support/config.js'
import { Issuer } from '../../support/issuer.js'
import { waitUntil } from '../../support/wait-until.js'

const TIMING = { refreshMs: 600_000, cooldownMs: 0, timeoutMs: 1_000 }

const accepts = async (jwks: Jwks, token: string): Promise<boolean> =>
  jwtVerify(token, jwks.find).then(
    () => true,
    () => false,
  )

describe('the keys of an issuer', () => {
  it('are read once for all who need them, and again when a token names one that is new', async () => {
    await using issuer = await Issuer.start()
    const jwks = new Jwks({ url: issuer.url }, TIMING)
    const tokens = await Promise.all([issuer.token(), issuer.token(), issuer.token()])
    expect(await Promise.all(tokens.map((it) => accepts(jwks, it)))).toEqual([true, true, true])
    expect(issuer.asked).toBe(1)
    const old = await issuer.token()
    await issuer.rotate()
    expect(await accepts(jwks, await issuer.token())).toBe(true)
    expect(issuer.asked).toBe(2)
    expect(await accepts(jwks, old)).toBe(false)
  })

  it('are not read for every token that names one nobody knows', async () => {
    await using issuer = await Issuer.start()
    const jwks = new Jwks({ url: issuer.url }, { ...TIMING, cooldownMs: 60_000 })
    await accepts(jwks, await issuer.token())
    for (let index = 0; index < 20; index++) {
      const token = await issuer.token({ header: { kid: `made-up-${index}` } })
      expect(await accepts(jwks, token)).toBe(false)
    }
    expect(issuer.asked).toBe(1)
  })

  it('that are old are read again beside the request, and stay good while the issuer is away', async () => {
    await using issuer = await Issuer.start()
    const jwks = new Jwks({ url: issuer.url }, { ...TIMING, refreshMs: 0 })
    const token = await issuer.token()
    expect(await accepts(jwks, token)).toBe(true)
    issuer.isDown = true
    expect(await accepts(jwks, token)).toBe(true)
    await waitUntil(() => issuer.asked === 2, 'the keys to be asked for')
    expect(await accepts(jwks, token)).toBe(true)
    issuer.isDown = false
    await issuer.rotate()
    await waitUntil(async () => !(await accepts(jwks, token)), 'the old key to be forgotten')
  })

  it('may stand in the configuration or in a file, which is read again for new ones', async () => {
    await using issuer = await Issuer.start()
    const first = await issuer.token()
    const keySet = (): string => JSON.stringify({ keys: issuer.published })
    const inline = new Jwks({ inline: JSON.parse(keySet()) as never }, TIMING)
    await using folder = await folderOf({ 'keys.json': keySet() })
    const file = new Jwks({ file: join(folder.path, 'keys.json') }, TIMING)
    expect(await accepts(inline, first)).toBe(true)
    expect(await accepts(file, first)).toBe(true)
    await issuer.rotate()
    await writeFile(join(folder.path, 'keys.json'), keySet())
    const second = await issuer.token()
    expect(await accepts(file, second)).toBe(true)
    expect(await accepts(inline, second)).toBe(false)
    expect(issuer.asked).toBe(0)
  })
})
