/** Where a server is and how it is spoken to: the schemas of the ways to write it, all made into one type. */
import { z } from 'zod'

export type HttpProtocol = 'streamable' | 'sse'

type StdioScope = 'shared' | 'principal' | 'session'

export type Endpoint =
  | {
      readonly kind: 'http'
      readonly url: string
      /** HTTP+SSE is the transport of 2024-11-05; servers of the other kind may turn out to speak it too. */
      readonly protocol: HttpProtocol
    }
  | {
      readonly kind: 'stdio'
      readonly command: string
      readonly args: readonly string[]
      readonly env: Readonly<Record<string, string>>
      readonly cwd: string | undefined
      /** Who shares one child process. */
      readonly scope: StdioScope
    }

const DEFAULT_PATHS: Readonly<Record<HttpProtocol, string>> = { streamable: '/mcp', sse: '/sse' }

// A string too, because that is what `${PORT}` gives.
const port = z
  .union([z.int().min(1).max(65535), z.string()])
  .transform((it) => (typeof it === 'string' && !/^\d{1,5}$/.test(it) ? NaN : Number(it)))
  .refine((it) => it >= 1 && it <= 65535, 'expected a port number from 1 to 65535')
  .meta({ title: 'port number' })

const urlPath = z.string().regex(/^\//, 'expected a path that starts with "/"')

const httpUrl = z
  .string()
  .refine(isHttpUrl, 'expected an http:// or https:// URL without user name, password or fragment')

const addressSchema = (protocol: HttpProtocol) =>
  z
    .union([
      z.strictObject({
        url: httpUrl.describe(
          `Address of the server, e.g. http://127.0.0.1:3001${DEFAULT_PATHS[protocol]}`,
        ),
      }),
      z.strictObject({
        host: z.string().min(1).describe('Host name or address; a whole URL is accepted too.'),
        port: port.optional().describe("Default: the scheme's own."),
        path: urlPath.optional().describe(`Default: \`${DEFAULT_PATHS[protocol]}\`.`),
      }),
    ])
    .transform((it, context): Endpoint => {
      if ('url' in it) return { kind: 'http', url: it.url, protocol }
      return httpEndpoint(it.host, it.port, it.path, protocol, context)
    })

const mcpSchema = addressSchema('streamable').describe(
  'A server that speaks Streamable HTTP. One that turns out to speak HTTP+SSE is served too.',
)
const sseSchema = addressSchema('sse').describe(
  'A server that speaks HTTP+SSE, the transport of 2024-11-05.',
)

const staticSchema = z
  .strictObject({
    host: z.string().min(1).describe('Host name or address.'),
    port: port.describe('Port of the server.'),
    path: urlPath.optional().describe('Default: `/mcp`, or `/sse` with protocol `SSE`.'),
    protocol: z
      .enum(['StreamableHTTP', 'SSE'])
      .prefault('StreamableHTTP')
      .describe('Transport that the server speaks.'),
  })
  .transform((it, context) =>
    httpEndpoint(it.host, it.port, it.path, it.protocol === 'SSE' ? 'sse' : 'streamable', context),
  )
  .describe("kgateway's spelling of a server at a fixed address.")

const envSchema = z.record(z.string(), z.string())

const stdioSchema = z
  .strictObject({
    command: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Program to start; one that begins with `./` or `../` is relative to the configuration file.',
      ),
    cmd: z.string().min(1).optional().describe("agentgateway's spelling of `command`."),
    args: z.array(z.string()).prefault([]).describe('Arguments of the program.'),
    env: envSchema
      .prefault({})
      .describe('Added to the few variables that every child inherits (PATH, HOME, …).'),
    cwd: z.string().optional().describe('Working directory; relative to the configuration file.'),
    scope: z
      .enum(['principal', 'session', 'shared'])
      .prefault('principal')
      .describe(
        'Who shares one child process: all clients of one principal, one session, or everybody.',
      ),
  })
  .transform((it, context): Endpoint => {
    const command = it.command ?? it.cmd
    if (command === undefined || (it.command !== undefined && it.cmd !== undefined)) {
      context.addIssue({ code: 'custom', message: 'expected exactly one of "command" and "cmd"' })
      return z.NEVER
    }
    return { kind: 'stdio', command, args: it.args, env: it.env, cwd: it.cwd, scope: it.scope }
  })
  .describe('A server started as a child process, spoken to over stdin and stdout.')

/** The ways to write a server's place; a target has exactly one of them. */
export const endpointFields = {
  mcp: mcpSchema.optional(),
  sse: sseSchema.optional(),
  stdio: stdioSchema.optional(),
  static: staticSchema.optional(),
}

function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return (
    url !== undefined &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.hash === ''
  )
}

function httpEndpoint(
  host: string,
  portNumber: number | undefined,
  path: string | undefined,
  protocol: HttpProtocol,
  context: z.core.$RefinementCtx,
): Endpoint {
  const isUrl = /^https?:\/\//.test(host)
  const base = isUrl
    ? host
    : `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}`
  const url = URL.canParse(base) ? new URL(base) : undefined
  if (url === undefined || !isHttpUrl(base) || (!isUrl && url.pathname !== '/')) {
    context.addIssue({
      code: 'custom',
      message: 'expected a host name, an address or an http:// or https:// URL',
      path: ['host'],
    })
    return z.NEVER
  }
  if (portNumber !== undefined) url.port = String(portNumber)
  if (path !== undefined) url.pathname = path
  else if (url.pathname === '/') url.pathname = DEFAULT_PATHS[protocol]
  return { kind: 'http', url: url.href, protocol }
}
