/** How a target's tokens are had of an authorization server: what `auth` of a target says of OAuth. */
import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'

/** An address that the gateway itself asks, or that it names to others. */
export const httpUrlSchema = z
  .string()
  .refine((it) => URL.canParse(it) && /^https?:$/.test(new URL(it).protocol), 'expected a URL')

const privateKey = z.string().refine((pem) => {
  try {
    return ['rsa', 'ec', 'ed25519'].includes(createPrivateKey(pem).asymmetricKeyType ?? '')
  } catch {
    return false
  }
}, 'expected a private key in PEM, of RSA, an elliptic curve or Ed25519')

/** A scope (RFC 6749 §3.3). */
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'expected one scope, without spaces')

const clientFields = {
  tokenUrl: httpUrlSchema.optional().describe('Where tokens are had.'),
  issuer: httpUrlSchema
    .optional()
    .describe(
      'Whose metadata says where (RFC 8414, OpenID Connect Discovery); instead of `tokenUrl`.',
    ),
  clientId: z.string().min(1).describe('Who the gateway is there.'),
  clientSecret: z.string().min(1).optional().describe('Its secret, by reference.'),
  clientAuth: z
    .enum(['client_secret_basic', 'client_secret_post'])
    .prefault('client_secret_basic')
    .describe('Where the secret is shown: in a header, or in the body.'),
  privateKey: privateKey
    .optional()
    .describe(
      'Instead of a secret: a key to sign with (`private_key_jwt`), PEM, by reference, such as `${file:key.pem}`.',
    ),
  keyId: z.string().min(1).optional().describe('`kid` of that key.'),
  scopes: z.array(scope).prefault([]).describe('Scopes to ask for.'),
  audience: z
    .string()
    .min(1)
    .optional()
    .describe('`audience` to ask for, where the server wants one.'),
  resource: httpUrlSchema.optional().describe('`resource` to ask for (RFC 8707).'),
}

const ONE_WAY = 'expected exactly one of "tokenUrl" and "issuer"'
const ONE_PROOF = 'expected exactly one of "clientSecret" and "privateKey"'

const grantSchema = z
  .strictObject(clientFields)
  .refine((it) => (it.tokenUrl === undefined) !== (it.issuer === undefined), ONE_WAY)
  .refine((it) => (it.clientSecret === undefined) !== (it.privateKey === undefined), ONE_PROOF)
  .refine((it) => it.keyId === undefined || it.privateKey !== undefined, {
    message: 'only a "privateKey" has a "keyId"',
    path: ['keyId'],
  })

/** What is asked for, of whom, and who asks. */
export type Grant = z.output<typeof grantSchema>

/** The keys of `auth` that are about tokens. */
export const tokenFields = {
  clientCredentials: grantSchema
    .optional()
    .describe("The gateway's own token, had with the grant of that name and kept fresh."),
  tokenExchange: grantSchema
    .optional()
    .describe(
      'For calls: the caller’s token, exchanged for one that is meant for this server (RFC 8693).',
    ),
  passthrough: z
    .union([
      z.boolean(),
      z.strictObject({
        audience: z.string().min(1).describe('What the server is to the issuer: its `aud`.'),
      }),
    ])
    .optional()
    .describe(
      'For calls: the caller’s token as it is, where its `aud` names this server as well (its URL, or `audience`), which an issuer’s `audiences` has to name, too.',
    ),
}

/** In whose name a server is called, and by what. */
export interface UpstreamAuth {
  /** For what the gateway asks on its own account. */
  readonly own?: Grant | undefined
  /** For what it asks on a caller's. */
  readonly exchange?: Grant | undefined
  /** The caller's own token goes along where it is meant for this audience. */
  readonly passthrough?: { readonly audience: string } | undefined
}
