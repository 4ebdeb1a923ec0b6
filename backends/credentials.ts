/** What the gateway itself presents to a server: fixed headers and credentials. Nothing of a client's is among it. */
import { z } from 'zod'
import type { Call } from './call.js'
import type { Endpoint } from './endpoint.js'
import type { UpstreamAuth } from './oauth/settings.js'
import { tokenFields } from './oauth/settings.js'
import type { Target } from './target.js'

/** Lower case, as HTTP/2 has it and Node sends it. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** Visible characters, spaces and tabs (RFC 9110 §5.5): no line can end within. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** Of the hop, of the protocol, or of the message: the gateway's own to set. */
const RESERVED =
  /^(host|content-.*|accept|accept-encoding|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|cookie|proxy-.*|mcp-.*|last-event-id)$/

/** The name of a header that may be added to what is sent to a server. */
const headerNameSchema = z
  .string()
  .toLowerCase()
  .regex(NAME, 'expected the name of a header')
  .refine(
    (name) => !RESERVED.test(name),
    'this header belongs to the connection or to the protocol',
  )

const valueSchema = z
  .string()
  .max(8_192)
  .regex(VALUE, 'expected the value of a header, on one line')

/** What callers show to this gateway, and to nobody behind it (2025-11-25 security_best_practices). */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'x-api-key'])

/** Headers by name, as several ways to write them have it. */
export const headersSchema = z.record(headerNameSchema, valueSchema)

/** The keys of a target for what it is shown. */
export const credentialFields = {
  headers: z
    .strictObject({
      set: headersSchema.prefault({}).describe('Sent with every request; secrets by reference.'),
      forward: z
        .array(
          headerNameSchema.refine(
            (name) => !CREDENTIALS.has(name),
            'credentials stay with whom they were shown to',
          ),
        )
        .prefault([])
        .describe(
          'Headers of a client’s request that go along with its calls, such as `x-request-id`.',
        ),
    })
    .optional()
    .describe('Headers for the server. Of a client’s, only those in `forward` go there.'),
  auth: z
    .strictObject({
      bearer: valueSchema
        .min(1)
        .optional()
        .describe('Token for `Authorization: Bearer`; by reference, such as `${TOKEN}`.'),
      header: z
        .strictObject({
          name: headerNameSchema.describe('Name of the header.'),
          value: valueSchema.min(1).describe('Its value, by reference.'),
        })
        .optional()
        .describe('A credential in a header of another name, such as `x-api-key`.'),
      ...tokenFields,
    })
    .optional()
    .describe(
      'How the server is shown who asks. For the gateway itself one of `bearer`, `header` and `clientCredentials`; for callers, where they are not to be told apart by sessions alone, one of `tokenExchange` and `passthrough`.',
    ),
}

type Written = z.output<z.ZodObject<typeof credentialFields>>

/** What is shown to a server: the same with every request, and tokens. */
interface Presented {
  readonly headers: Readonly<Record<string, string>>
  readonly auth?: UpstreamAuth
}

/** What a target's settings come to; `undefined` where they contradict each other, which is reported. */
export function presented(
  { headers, auth }: Written,
  endpoint: Endpoint,
  context: z.core.$RefinementCtx,
): Presented | undefined {
  const shown = { ...headers?.set }
  if (auth === undefined) return { headers: shown }
  const refuse = (message: string): undefined => {
    context.addIssue({ code: 'custom', message, path: ['auth'] })
  }
  const { bearer, header, clientCredentials, tokenExchange } = auth
  const passthrough = auth.passthrough === false ? undefined : auth.passthrough
  const own = [bearer, header, clientCredentials].filter((it) => it !== undefined).length
  const forOthers = [tokenExchange, passthrough].filter((it) => it !== undefined).length
  if (own > 1 || own + forOthers === 0) {
    return refuse('expected exactly one of "bearer", "header" and "clientCredentials"')
  }
  if (forOthers > 1) return refuse('expected one of "tokenExchange" and "passthrough"')
  const name = header?.name ?? 'authorization'
  const usesHeader = own + forOthers > 1 || header === undefined ? 'authorization' : name
  if (Object.hasOwn(shown, name) || Object.hasOwn(shown, usesHeader)) {
    return refuse('"headers.set" has this header, too')
  }
  const value = header?.value ?? (bearer === undefined ? undefined : `Bearer ${bearer}`)
  const fixed = value === undefined ? shown : { ...shown, [name]: value }
  if (clientCredentials === undefined && forOthers === 0) return { headers: fixed }
  const url = endpoint.kind === 'http' ? endpoint.url : ''
  const audience = typeof passthrough === 'object' ? passthrough.audience : url
  return {
    headers: fixed,
    auth: {
      ...(clientCredentials === undefined ? {} : { own: clientCredentials }),
      ...(tokenExchange === undefined ? {} : { exchange: tokenExchange }),
      ...(passthrough === undefined ? {} : { passthrough: { audience } }),
    },
  }
}

/** What goes along of a caller's headers. */
export function forwardedHeaders(
  { forward }: Target,
  headers: Call['headers'],
): Readonly<Record<string, string>> | undefined {
  if (forward.length === 0 || headers === undefined) return undefined
  const chosen = forward.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return chosen.length === 0 ? undefined : Object.fromEntries(chosen)
}
