/** What it takes to reach one upstream server, and the schema of a target as the configuration writes it. */
import { z } from 'zod'

/** A target's name: `[a-z0-9-]{1,63}`, unique in a snapshot. */
export type TargetName = string & { readonly __brand: 'TargetName' }

type StdioScope = 'shared' | 'principal' | 'session'

export type Endpoint =
  | { readonly kind: 'http'; readonly url: string }
  | {
      readonly kind: 'stdio'
      readonly command: string
      readonly args: readonly string[]
      readonly env: Readonly<Record<string, string>>
      readonly cwd: string | undefined
      /** Who shares one child process. */
      readonly scope: StdioScope
    }

/** Deadlines in milliseconds; 0 means none. Long-lived streams are never cut by `callMs`. */
export interface Timeouts {
  readonly connectMs: number
  readonly openMs: number
  readonly listMs: number
  readonly callMs: number
  readonly idleMs: number
}

export interface Target {
  readonly name: TargetName
  readonly endpoint: Endpoint
  /** What stands before exposed names; '' exposes bare names. */
  readonly prefix: string
  /** Globs over original names of tools and prompts; an empty `include` takes all. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly timeouts: Timeouts
  /** Whether clients' roots are told to this server. */
  readonly roots: boolean
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

const EXPECTED_DURATION = 'expected a duration such as 250ms, 10s, 5m or 1h'

/** What a timer of Node's can wait for; beyond it, it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

/** `250ms`, `10s`, `5m`, `1h`, `0s` → milliseconds, up to 24 days. */
export const durationSchema = z
  .string(EXPECTED_DURATION)
  .regex(/^\d{1,9}(ms|s|m|h)$/, EXPECTED_DURATION)
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)?.[0] as keyof typeof UNIT_MS
    return Number.parseInt(text, 10) * UNIT_MS[unit]
  })
  .refine((ms) => ms <= LONGEST_MS, 'expected at most 596h')
  .meta({ title: 'duration' })

const duration = (fallback: string, meaning: string) =>
  durationSchema.prefault(fallback).describe(meaning)

const timeoutsSchema = z
  .strictObject({
    connect: duration('2s', 'TCP (and TLS) connection to the server.'),
    open: duration(
      '10s',
      'Opening an MCP session: start of the process or connection, and `initialize`.',
    ),
    list: duration('10s', 'Each list request while the catalog is filled.'),
    call: duration('60s', 'A call, reset by each progress notification.'),
    idle: duration('0s', 'Silence on a stream after which it is taken for dead; 0s: never.'),
  })
  .prefault({})
  .transform(({ connect, open, list, call, idle }): Timeouts => ({
    connectMs: connect,
    openMs: open,
    listMs: list,
    callMs: call,
    idleMs: idle,
  }))
  .describe('Deadlines for this target; 0s means none.')

const targetNameSchema = z
  .string()
  .regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 characters from a-z, 0-9 and "-"')
  .transform((name) => name as TargetName)

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

const mcpSchema = z
  .union([
    z.strictObject({
      url: httpUrl.describe('Address of the server, e.g. http://127.0.0.1:3001/mcp'),
    }),
    z.strictObject({
      host: z.string().min(1).describe('Host name or address; a whole URL is accepted too.'),
      port: port.optional().describe("Default: the scheme's own."),
      path: urlPath.optional().describe('Default: `/mcp`.'),
    }),
  ])
  .transform((mcp, context): Endpoint => {
    if ('url' in mcp) return { kind: 'http', url: mcp.url }
    return httpEndpoint(mcp.host, mcp.port, mcp.path, context)
  })
  .describe('A server that speaks Streamable HTTP.')

const staticSchema = z
  .strictObject({
    host: z.string().min(1).describe('Host name or address.'),
    port: port.describe('Port of the server.'),
    path: urlPath.optional().describe('Default: `/mcp`.'),
    protocol: z.literal('StreamableHTTP').optional().describe('The only one so far.'),
  })
  .transform((it, context) => httpEndpoint(it.host, it.port, it.path, context))
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

const prefix = z
  .string()
  .regex(/^[A-Za-z0-9_-]{0,32}$/, 'expected at most 32 characters from A-Z, a-z, 0-9, "_" and "-"')

const commonFields = {
  prefix: prefix
    .optional()
    .describe('What stands before exposed names; "" exposes bare names. Default: the name.'),
  include: z
    .array(z.string().min(1).max(256))
    .prefault([])
    .describe('Globs (`*`, `?`) over the original names of tools and prompts; none: all.'),
  exclude: z
    .array(z.string().min(1).max(256))
    .prefault([])
    .describe('Globs over the original names of tools and prompts to leave out.'),
  timeouts: timeoutsSchema,
  roots: z
    .boolean()
    .prefault(false)
    .describe('Whether this server may ask clients for their roots, which name folders of theirs.'),
}

/** One entry of `targets`. */
export const targetSchema = z
  .strictObject({
    name: targetNameSchema.describe('Unique name: a-z, 0-9 and "-", at most 63.'),
    mcp: mcpSchema.optional(),
    stdio: stdioSchema.optional(),
    static: staticSchema.optional(),
    ...commonFields,
  })
  .transform((it, context): Target => {
    const endpoints = [it.mcp, it.stdio, it.static].filter((endpoint) => endpoint !== undefined)
    const [endpoint] = endpoints
    if (endpoint === undefined || endpoints.length > 1) {
      context.addIssue({
        code: 'custom',
        message: 'expected exactly one of "mcp", "stdio" and "static"',
      })
      return z.NEVER
    }
    return {
      name: it.name,
      endpoint,
      prefix: it.prefix ?? it.name,
      include: it.include,
      exclude: it.exclude,
      timeouts: it.timeouts,
      roots: it.roots,
    }
  })

/** Two targets that would be reached and shown alike; a registry keeps the backend of an equal target. */
export function sameTarget(a: Target, b: Target): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
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
  else if (url.pathname === '/') url.pathname = '/mcp'
  return { kind: 'http', url: url.href }
}
