/** Tokens made by somebody who has no key of the issuer's, and all that is public. */
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import type { JWK } from 'jose'
import { createHmac, createSign, KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { RunningGateway } from '../support/gateway.js'
import { startGateway } from '../support/gateway.js'
import { Issuer } from '../support/issuer.js'
import { initializeRequest, post } from '../support/raw-client.js'

const ISSUER = 'https://login.example'
const now = Math.floor(Date.now() / 1_000)
const CLAIMS = { iss: ISSUER, sub: 'ada', aud: 'gateway', exp: now + 600 }

interface World {
  readonly gateway: RunningGateway
  readonly jwk: JWK
  readonly pem: string
  /** With the issuer's own key, whatever the header says: what no library would sign. */
  readonly signRaw: (header: JsonObject) => string
  readonly sign: (claims?: JsonObject, header?: JsonObject) => Promise<string>
  /** An issuer of the attacker's own, which signs for ours and publishes its keys. */
  readonly attacker: Issuer
}
let world: World

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'the-key', use: 'sig' }
  const attacker = await Issuer.start()
  world = {
    jwk,
    attacker,
    pem: await exportSPKI(publicKey),
    signRaw: (header) => {
      const text = `${base64({ alg: 'RS256', kid: 'the-key', ...header })}.${base64(CLAIMS)}`
      const signature = createSign('sha256').update(text).sign(KeyObject.from(privateKey))
      return `${text}.${signature.toString('base64url')}`
    },
    sign: (claims = {}, header = {}) =>
      new SignJWT({ ...CLAIMS, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'the-key', ...header })
        .sign(privateKey),
    gateway: await startGateway({
      targets: [],
      authentication: {
        mode: 'strict',
        jwt: [
          {
            issuer: ISSUER,
            audiences: ['gateway'],
            jwks: { inline: { keys: [jwk] } },
          },
        ],
      },
    }),
  }
})
afterAll(async () => {
  await world.gateway[Symbol.asyncDispose]()
  await world.attacker[Symbol.asyncDispose]()
})

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const enter = (token: string) =>
  post(world.gateway.url, initializeRequest(), { authorization: `Bearer ${token}` })

function signedWith(secret: string | Buffer, alg: 'HS256' | 'HS512', header: object = {}): string {
  const text = `${base64({ alg, kid: 'the-key', ...header })}.${base64(CLAIMS)}`
  const digest = createHmac(alg === 'HS256' ? 'sha256' : 'sha512', secret).update(text)
  return `${text}.${digest.digest('base64url')}`
}
const ofAttacker = (header: JsonObject) =>
  world.attacker.token({ issuer: ISSUER, header: { ...header } })
const urlOf = (attacker: Issuer) => `${attacker.url}/keys`

describe('a token', () => {
  it('of the issuer is good', async () => {
    expect((await enter(await world.sign())).status).toBe(200)
    expect((await enter(world.signRaw({}))).status).toBe(200)
    expect((await enter(await world.sign({ aud: ['other', 'gateway'] }))).status).toBe(200)
    expect((await enter(await world.sign({ exp: now - 5, nbf: now + 5 }))).status).toBe(200)
  })

  it.each<[string, () => string | Promise<string>]>([
    ['signed with the public key as a secret: PEM', () => signedWith(world.pem, 'HS256')],
    ['the same without its last line end', () => signedWith(world.pem.trimEnd(), 'HS256')],
    [
      'signed with the public key as a secret: JWK',
      () => signedWith(JSON.stringify(world.jwk), 'HS256'),
    ],
    [
      'signed with the public key as a secret: modulus',
      () => signedWith(Buffer.from(world.jwk.n ?? '', 'base64url'), 'HS512'),
    ],
    ['signed with the public key as a secret: its id', () => signedWith('the-key', 'HS256')],
    ['signed with nothing', () => signedWith('', 'HS256')],
    ...['none', 'None', 'NONE', 'nOnE', ''].map((alg): [string, () => string] => [
      `of the algorithm "${alg}"`,
      () => `${base64({ alg, kid: 'the-key' })}.${base64(CLAIMS)}.`,
    ]),
    ['of no algorithm', () => `${base64({ kid: 'the-key' })}.${base64(CLAIMS)}.`],
    [
      'of a good algorithm without its signature',
      async () => (await world.sign()).replace(/[^.]+$/, ''),
    ],
    [
      'with the signature of another',
      async () => {
        const [head, , signature] = (await world.sign()).split('.')
        return [head, base64({ ...CLAIMS, sub: 'admin' }), signature].join('.')
      },
    ],
    [
      'of the attacker, with its own key',
      () => ofAttacker({ jwk: world.attacker.published[0] as JsonObject }),
    ],
    [
      'of the attacker, with where its keys are (jku)',
      () => ofAttacker({ jku: urlOf(world.attacker) }),
    ],
    [
      'of the attacker, with where its certificate is (x5u)',
      () => ofAttacker({ x5u: urlOf(world.attacker) }),
    ],
    [
      'of the attacker, with a certificate (x5c)',
      () => ofAttacker({ x5c: [Buffer.from('no').toString('base64')] }),
    ],
    [
      'of the attacker, whose key id is an address',
      () => ofAttacker({ kid: urlOf(world.attacker) }),
    ],
    ['of the attacker, under the id of the issuer’s key', () => ofAttacker({ kid: 'the-key' })],
    ...[
      '../../../../dev/null',
      "x' UNION SELECT 'secret' --",
      '__proto__',
      'constructor',
      '',
      '\0',
      '$(id)',
      '*',
    ].flatMap((kid): [string, () => string | Promise<string>][] => [
      [`of the attacker, whose key id is ${JSON.stringify(kid)}`, () => ofAttacker({ kid })],
      [
        `signed with an empty secret, whose key id is ${JSON.stringify(kid)}`,
        () => signedWith('', 'HS256', { kid }),
      ],
    ]),
    ['whose key id is no text', () => ofAttacker({ kid: 7 })],
    ['expired', () => world.sign({ exp: now - 60 })],
    ['that never expires', () => world.sign({ exp: undefined as never })],
    ['that expires as text', () => world.sign({ exp: `${now + 600}` as never })],
    ['not valid yet', () => world.sign({ nbf: now + 60 })],
    ['for another audience', () => world.sign({ aud: 'gateway2' })],
    ['for no audience', () => world.sign({ aud: undefined as never })],
    ['for many others', () => world.sign({ aud: ['a', 'gateway ', 'GATEWAY'] })],
    ['of another issuer', () => world.sign({ iss: 'https://login.example.evil' })],
    ['of the issuer with a slash', () => world.sign({ iss: `${ISSUER}/` })],
    ['of no issuer', () => world.sign({ iss: undefined as never })],
    ['of an issuer that every object knows', () => world.sign({ iss: 'constructor' })],
    ['of nobody', () => world.sign({ sub: undefined as never })],
    ['with something critical', () => world.signRaw({ crit: ['exp'], exp: 1 })],
    ['whose payload is not in base64', () => world.signRaw({ b64: false, crit: ['b64'] })],
    ['in five parts', () => 'a.b.c.d.e'],
    ['in JSON', () => base64({ payload: base64(CLAIMS), signatures: [] })],
    ['that is base64 and no JSON', () => 'AAAA.AAAA.AAAA'],
    [
      'deep',
      () => `${base64({ alg: 'RS256' })}.${Buffer.from('['.repeat(5_000)).toString('base64url')}.x`,
    ],
  ])('%s is not [R71]', async (_, make) => {
    const { status, json, headers } = await enter(await make())
    expect(status).toBe(401)
    expect(json).toMatchObject({ error: { message: 'the credentials are not valid' } })
    expect(headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
  })

  it('makes the gateway fetch nothing that it names', async () => {
    await enter(
      await ofAttacker({
        jku: urlOf(world.attacker),
        x5u: urlOf(world.attacker),
        kid: urlOf(world.attacker),
      }),
    )
    expect(world.attacker.asked).toBe(0)
  })
})
