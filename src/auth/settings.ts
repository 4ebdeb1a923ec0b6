/** The section `authentication`: whom the gateway believes. */
import { z } from 'zod'
import { durationSchema, httpUrlSchema } from '../../backends/index.js'
import { scopeSchema } from './tool-scopes.js'

/** Asymmetric ones alone: a key that verifies must not be able to sign. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const MIN_KEY = 16

const anyValue = z.unknown().meta({ title: 'value' })

const jwksSchema = z
  .strictObject({
    url: httpUrlSchema
      .optional()
      .describe('Where the issuer publishes its keys; read again as needed.'),
    file: z.string().min(1).optional().describe('A file with the keys.'),
    inline: z
      .strictObject({
        keys: z.array(z.record(z.string(), anyValue)).min(1).describe('The keys, one JWK each.'),
      })
      .optional()
      .describe('The keys themselves, as a JSON Web Key Set.'),
  })
  .refine(
    (it) => Object.values(it).filter((way) => way !== undefined).length === 1,
    'expected exactly one of "url", "file" and "inline"',
  )

export type JwksSettings = z.output<typeof jwksSchema>

const issuerSchema = z.strictObject({
  issuer: z.string().min(1).describe('Value of `iss`, compared as it is.'),
  audiences: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      'Values of `aud` of which a token must have one: what this gateway is to the issuer.',
    ),
  jwks: jwksSchema.describe('The keys of the issuer; one of `url`, `file` and `inline`.'),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .prefault(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .describe('Signatures to accept.'),
  clockSkew: durationSchema
    .prefault('30s')
    .describe('How far the clocks of issuer and gateway may be apart.'),
})

export type IssuerSettings = z.output<typeof issuerSchema>

const apiKeySchema = z
  .strictObject({
    name: z.string().min(1).max(128).describe('Who has the key; unique.'),
    key: z
      .string()
      .min(MIN_KEY, `expected at least ${MIN_KEY} characters`)
      .optional()
      .describe('The key itself, by reference, such as `${CI_KEY}`.'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/i, 'expected a SHA-256 in hex, 64 characters')
      .toLowerCase()
      .optional()
      .describe('Its SHA-256 in hex, so that the key itself is nowhere here.'),
    claims: z
      .record(z.string(), anyValue)
      .prefault({})
      .describe('What is known of its owner, as a token would say it.'),
  })
  .refine(({ key, sha256 }) => (key === undefined) !== (sha256 === undefined), {
    message: 'expected exactly one of "key" and "sha256"',
  })

export type ApiKeySettings = z.output<typeof apiKeySchema>

/** The section `authentication`. */
export const authenticationSchema = z
  .strictObject({
    mode: z
      .enum(['off', 'optional', 'strict'])
      .prefault('off')
      .describe(
        '`strict`: nobody without valid credentials; `optional`: whoever shows none is anonymous, and whoever shows bad ones is refused; `off`: nobody is asked.',
      ),
    jwt: z.array(issuerSchema).prefault([]).describe('Issuers whose tokens are accepted.'),
    apiKeys: z
      .array(apiKeySchema)
      .prefault([])
      .describe('Keys that are accepted, as `Authorization: Bearer` or `X-Api-Key`.'),
    resourceMetadata: z
      .strictObject({
        resource: httpUrlSchema
          .optional()
          .describe(
            "The gateway's own address as clients know it, e.g. https://mcp.example.com/mcp. Default: made from the request.",
          ),
        authorizationServers: z
          .array(httpUrlSchema)
          .optional()
          .describe('Where clients get tokens. Default: the issuers.'),
        scopesSupported: z
          .array(scopeSchema)
          .prefault([])
          .describe('Scopes that clients may ask for.'),
      })
      .prefault({})
      .describe('What clients are told of how to get a token (RFC 9728).'),
  })
  .superRefine(({ jwt, apiKeys }, context) => {
    reportTwice(
      jwt.map((it) => it.issuer),
      (index) => ['jwt', index, 'issuer'],
      context,
    )
    reportTwice(
      apiKeys.map((it) => it.name),
      (index) => ['apiKeys', index, 'name'],
      context,
    )
  })

export type AuthenticationSettings = z.output<typeof authenticationSchema>

function reportTwice(
  names: readonly string[],
  pathOf: (index: number) => (string | number)[],
  context: z.core.$RefinementCtx,
): void {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue
    context.addIssue({ code: 'custom', message: 'stands here twice', path: pathOf(index) })
  }
}
