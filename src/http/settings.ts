/** Where the gateway listens, and which requests it lets in before anybody reads them. */
import { z } from 'zod'
import { addressFields } from './addresses.js'
import { drainSchema } from './drain.js'
import { overloadSchema } from './overload.js'

const MAX_PORT = 65_535
/** Answered by the gateway itself on the same listener. */
const OWN_PATHS = new Set(['/healthz', '/readyz', '/sse', '/messages'])

// A string too, because that is what `${PORT}` gives.
export const portSchema = z
  .union([z.int().min(0).max(MAX_PORT), z.string()])
  .transform((port) => (typeof port === 'string' && !/^\d{1,5}$/.test(port) ? NaN : Number(port)))
  .refine((port) => port <= MAX_PORT, 'expected a port number from 0 to 65535')
  .meta({ title: 'port number' })

const pathSchema = z
  .string()
  .refine(
    isPlainPath,
    'expected a path such as /mcp: no "/" at its end, no query, only letters, digits and "-._~"',
  )
  .refine((path) => !OWN_PATHS.has(path), 'this path is taken by the gateway itself')

const hostNameSchema = z
  .string()
  .regex(/^[^\s/@?#]+$/, 'expected a host such as example.com or example.com:8080')
  .toLowerCase()

const originSchema = z
  .string()
  .refine(isOrigin, 'expected an origin such as https://example.com, without a path, or "*"')
  .toLowerCase()

/** The section `listen`. */
export const listenSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .prefault('127.0.0.1')
    .describe('Address to listen on; `0.0.0.0` or `::` for all.'),
  port: portSchema.prefault(8080).describe('Port to listen on; 0 takes any free one.'),
  path: pathSchema
    .prefault('/mcp')
    .describe('Path of the merged server; the targets alone are served beneath it.'),
  drain: drainSchema,
  overload: overloadSchema,
  legacySse: z
    .boolean()
    .prefault(false)
    .describe('Serve clients of 2024-11-05 too, at `/sse` and `/messages`.'),
  maxBodyBytes: z
    .int()
    .min(1024)
    .max(1_073_741_824)
    .prefault(4_194_304)
    .describe('Largest request body, in bytes; 1024 to 1073741824.'),
  allowedHosts: z
    .array(hostNameSchema)
    .prefault([])
    .describe(
      'Values of the `Host` header to accept. On a loopback address its names are accepted too; elsewhere, where this is empty, any.',
    ),
  allowedOrigins: z
    .array(originSchema)
    .prefault([])
    .describe('Origins of web pages that may call, as `scheme://host[:port]`; `"*"` lets all in.'),
  tls: z
    .strictObject({
      cert: z
        .string()
        .min(1)
        .describe('File with the certificate chain, in PEM; read again when it changes.'),
      key: z.string().min(1).describe('File with its private key, in PEM.'),
      clientCa: z
        .string()
        .min(1)
        .optional()
        .describe(
          'File with the authorities whose client certificates are asked for: nobody connects without one, and whoever shows nothing else is known by it.',
        ),
    })
    .optional()
    .describe('Serve HTTPS. Files are relative to the configuration.'),
  ...addressFields,
})

export type ListenSettings = z.output<typeof listenSchema>

export type TlsSettings = NonNullable<ListenSettings['tls']>

function isPlainPath(path: string): boolean {
  // The parse resolves `.` and `..`, which a client would have resolved before asking.
  return /^(\/[A-Za-z0-9._~-]+)+$/.test(path) && new URL(path, 'http://host').pathname === path
}

function isOrigin(text: string): boolean {
  if (text === '*') return true
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\]+$/i.test(text) || !URL.canParse(text)) return false
  const { protocol, origin } = new URL(text)
  // Browsers leave the default port out, so an origin written with it would never match.
  return !/^https?:$/.test(protocol) || origin === text.toLowerCase()
}
