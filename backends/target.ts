/** What it takes to reach one upstream server, and the schema of a target as the configuration writes it. */
import { z } from 'zod'
import type { AttributeSettings } from './attributes.js'
import { attributesSchema } from './attributes.js'
import type { Era } from './call.js'
import type { CircuitSettings, HealthSettings } from './circuit-settings.js'
import { circuitSchema, healthSchema } from './circuit-settings.js'
import { credentialFields, presented } from './credentials.js'
import type { Endpoint } from './endpoint.js'
import { endpointFields } from './endpoint.js'
import type { UpstreamAuth } from './oauth/settings.js'
import type { Retries } from './retries.js'
import { retriesSchema } from './retries.js'
import type { Timeouts } from './timeouts.js'
import { timeoutsSchema } from './timeouts.js'
import type { UpstreamTls } from './upstream-tls.js'
import { upstreamTlsSchema } from './upstream-tls.js'

/** A target's name: `[a-z0-9-]{1,63}`, unique in a snapshot. */
export type TargetName = string & { readonly __brand: 'TargetName' }

/** What one server is known by: the name of its target, with the variant behind `@` where that is one of several. */
export type BackendId = string & { readonly __brand: 'BackendId' }

/** How a server is treated, wherever it is. */
export interface TargetOptions {
  /** Globs over original names of tools and prompts; an empty `include` takes all. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly timeouts: Timeouts
  readonly retries: Retries
  readonly circuitBreaker: CircuitSettings
  readonly health: HealthSettings
  /** Whether clients' roots are told to this server. */
  readonly roots: boolean
  /** What the server speaks; `auto` finds out. */
  readonly era: 'auto' | Era
  /** Whether calls of modern clients to an older server wait while the client is asked. */
  readonly parkCalls: boolean
  /** Whether a session of a client's has one session here, wherever it is served, and ends with it. */
  readonly stateful: boolean
  /** The largest request that it is sent; `undefined` for that of all. */
  readonly maxBodyBytes?: number | undefined
  /** What becomes of requests at its own path that are not MCP. */
  readonly traffic: 'reject' | 'passThrough'
  /** Of its requests, besides those of all. */
  readonly attributes: readonly AttributeSettings[]
  /** What becomes of tools whose definitions nobody approved. */
  readonly guard: 'off' | 'warn' | 'block'
}

export interface Target extends TargetOptions {
  readonly name: TargetName
  /** Which of the target's servers it is, where there are several (variants.ts). */
  readonly variant?: string
  readonly endpoint: Endpoint
  /** What stands before exposed names; '' exposes bare names. */
  readonly prefix: string
  /** Sent with every HTTP request. */
  readonly headers: Readonly<Record<string, string>>
  /** Headers of a caller's request that go along with its calls. */
  readonly forward: readonly string[]
  /** The tokens that it is shown. */
  readonly auth?: UpstreamAuth | undefined
  /** Where it is not as usual. */
  readonly tls?: UpstreamTls | undefined
}

const targetNameSchema = z
  .string()
  .regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 characters from a-z, 0-9 and "-"')
  .transform((name) => name as TargetName)

/** What may stand before exposed names. */
export const prefixSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{0,32}$/, 'expected at most 32 characters from A-Z, a-z, 0-9, "_" and "-"')
  .optional()
  .describe('What stands before exposed names; "" exposes bare names. Default: the name.')

/** The keys that make `TargetOptions`. */
export const optionFields = {
  include: z
    .array(z.string().min(1).max(256))
    .prefault([])
    .describe('Globs (`*`, `?`) over the original names of tools and prompts; none: all.'),
  exclude: z
    .array(z.string().min(1).max(256))
    .prefault([])
    .describe('Globs over the original names of tools and prompts to leave out.'),
  timeouts: timeoutsSchema,
  retries: retriesSchema,
  circuitBreaker: circuitSchema,
  health: healthSchema,
  roots: z
    .boolean()
    .prefault(false)
    .describe('Whether this server may ask clients for their roots, which name folders of theirs.'),
  era: z
    .enum(['auto', 'legacy', 'modern'])
    .prefault('auto')
    .describe(
      'What the server speaks: `legacy` is revisions up to 2025-11-25, `modern` 2026-07-28; `auto` finds out.',
    ),
  parkCalls: z
    .boolean()
    .prefault(false)
    .describe(
      'Let this server, of a revision up to 2025-11-25, ask clients of 2026-07-28 for input: its call waits in this process until the client comes back with the answer.',
    ),
  stateful: z
    .boolean()
    .prefault(false)
    .describe(
      'For servers that keep something in a session: it is opened with the client’s and sealed into the client’s id, so that each replica goes on in it. Where the server has lost it, the client is told to begin anew. Streamable HTTP and clients up to 2025-11-25 only.',
    ),
  maxBodyBytes: z
    .int()
    .min(1024)
    .max(1_073_741_824)
    .optional()
    .describe('Largest request to this server, in bytes. Default: `listen.maxBodyBytes`.'),
  traffic: z
    .enum(['reject', 'passThrough'])
    .prefault('reject')
    .describe(
      'What becomes of requests at `/mcp/<target>`, and below it, that are not MCP: `passThrough` gives them to the server, those below under their path there.',
    ),
  attributes: attributesSchema.describe(
    'Attributes of requests to this server; each replaces one of its name that requests to all have.',
  ),
  guard: z
    .enum(['off', 'warn', 'block'])
    .prefault('off')
    .describe(
      'Hold the tools of this server against the definitions approved in `junction.lock.json` (`mcp-junction lock`): `warn` reports what is new or changed, `block` hides it as well.',
    ),
}

/** The keys that say what a server is shown. */
const shownFields = {
  ...credentialFields,
  tls: upstreamTlsSchema.optional().describe('TLS towards a server at an `https://` address.'),
}

/** The keys that belong to one server alone, where a target has several. */
export const serverFields = { ...endpointFields, ...shownFields }

/** All keys of a target that is one server. */
export const targetFields = {
  name: targetNameSchema.describe('Unique name: a-z, 0-9 and "-", at most 63.'),
  ...endpointFields,
  prefix: prefixSchema,
  ...shownFields,
  ...optionFields,
}

/** A target that is one server. */
export const targetSchema = z.strictObject(targetFields).transform(serverOf)

type Written = z.output<z.ZodObject<typeof targetFields>>

/** The one server of a target; what is wrong with it is told to `context`. */
export function serverOf(written: Written, context: z.core.$RefinementCtx): Target {
  const { name, prefix, mcp, sse, stdio, static: fixed, headers, auth, ...options } = written
  const endpoints = [mcp, sse, stdio, fixed].filter((endpoint) => endpoint !== undefined)
  const [endpoint] = endpoints
  const refuse = (message: string, ...path: string[]): never => {
    context.addIssue({ code: 'custom', message, path })
    return z.NEVER
  }
  if (endpoint === undefined || endpoints.length > 1) {
    return refuse('expected exactly one of "mcp", "sse", "stdio" and "static"')
  }
  if (
    options.tls !== undefined &&
    !(endpoint.kind === 'http' && endpoint.url.startsWith('https:'))
  ) {
    return refuse('only a server at an https:// address has TLS', 'tls')
  }
  if (options.traffic === 'passThrough' && endpoint.kind !== 'http') {
    return refuse('only a server over HTTP can be given what is not MCP', 'traffic')
  }
  if (options.stateful && !(endpoint.kind === 'http' && endpoint.protocol === 'streamable')) {
    const message = 'only a session over Streamable HTTP can be reached from several processes'
    return refuse(message, 'stateful')
  }
  const forward = headers?.forward ?? []
  const shown = presented({ headers, auth }, endpoint, context)
  if (shown === undefined) return z.NEVER
  const isBare = Object.keys(shown.headers).length + forward.length === 0 && auth === undefined
  if (endpoint.kind === 'stdio' && !isBare) {
    return refuse('a child process has no headers; give it what it needs in "stdio.env"')
  }
  return { name, endpoint, prefix: prefix ?? name, ...options, ...shown, forward }
}

/** What a server is known by, in this process and in all that is sealed. */
export function idOf({ name, variant }: Pick<Target, 'name' | 'variant'>): BackendId {
  const id: string = variant === undefined ? name : `${name}@${variant}`
  return id as BackendId
}

/** Whether its server is called on the account of whoever calls. */
export function callsForOthers({ auth }: Target): boolean {
  return auth?.exchange !== undefined || auth?.passthrough !== undefined
}

/** Two targets that would be reached and shown alike; a registry keeps the backend of an equal target. */
export function sameTarget(a: Target, b: Target): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
