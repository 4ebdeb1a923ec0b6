/** The whole configuration: every section's schema stands beside what it configures, and all of them meet here. */
import { z } from 'zod'
import type {
  AttributeSettings,
  ConfiguredTarget,
  Target,
  Variation,
} from '../../backends/index.js'
import { attributesSchema } from '../../backends/index.js'
import type { BackendResource, KubernetesSettings, SelectorEntry } from '../../discovery/index.js'
import {
  isSelectorEntry,
  kubernetesSchema,
  mcpServersSchema,
  targetEntrySchema,
} from '../../discovery/index.js'
import { attributeNames } from '../attributes/attributes.js'
import type { AuthorizationSettings } from '../auth/policy.js'
import { attributesReadBy, authorizationSchema } from '../auth/policy.js'
import type { AuthenticationSettings } from '../auth/settings.js'
import { authenticationSchema } from '../auth/settings.js'
import type { Approvals, FederationSettings } from '../../federation/index.js'
import { federationSchema } from '../../federation/index.js'
import type { AdminSettings } from '../http/admin-settings.js'
import { adminSchema } from '../http/admin-settings.js'
import type { LimitSettings } from '../limits/settings.js'
import { limitsSchema } from '../limits/settings.js'
import type { StoreSettings } from '../limits/store-settings.js'
import { storeSchema } from '../limits/store-settings.js'
import type { ListenSettings } from '../http/settings.js'
import { listenSchema } from '../http/settings.js'
import type { ConfigProblem } from './problems.js'
import type { SessionSettings } from '../session/settings.js'
import { sessionsSchema } from '../session/settings.js'
import type { TelemetrySettings } from '../telemetry/settings.js'
import { telemetrySchema } from '../telemetry/settings.js'
import { faultOfWhen } from '../variants/when.js'
import type { WorkersSetting } from '../workers/settings.js'
import { workersSchema } from '../workers/settings.js'

export type JsonSchema = z.core.JSONSchema.JSONSchema

export interface Config {
  readonly listen: ListenSettings
  /** `undefined` where nothing is said of it. */
  readonly admin?: AdminSettings | false | undefined
  readonly workers: WorkersSetting
  /** All servers: those of `targets`, then those of `mcpServers`. */
  readonly targets: readonly Target[]
  /** How callers are given to the servers of targets that have several. */
  readonly variations: readonly Variation[]
  /** The entries of `targets` that select Services. */
  readonly selectors: readonly SelectorEntry[]
  /** Documents that are `Backend` resources. */
  readonly resources: readonly BackendResource[]
  readonly kubernetes: KubernetesSettings
  /** From the lock file beside the configuration. */
  readonly approvals: Approvals
  /** What can be loaded and hardly be meant. */
  readonly warnings: readonly ConfigProblem[]
  /** What references stand for, any of which may be a secret. */
  readonly substituted: readonly string[]
  readonly authentication: AuthenticationSettings
  readonly authorization: AuthorizationSettings
  readonly attributes: readonly AttributeSettings[]
  readonly limits: readonly LimitSettings[]
  readonly store?: StoreSettings | undefined
  readonly federation: FederationSettings
  readonly sessions: SessionSettings
  readonly telemetry: TelemetrySettings
}

/** Substitutions are made before; messages of the schemas never repeat a value, since it may be a secret. */
export const configSchema = z
  .strictObject({
    listen: listenSchema
      .prefault({})
      .describe('Where the gateway listens, and what it accepts there.'),
    admin: adminSchema,
    workers: workersSchema,
    targets: z
      .array(targetEntrySchema)
      .prefault([])
      .describe(
        'The servers behind the gateway, each with exactly one of `mcp`, `sse`, `stdio` and `static`, or several `variants`, or Kubernetes Services by their labels.',
      ),
    mcpServers: mcpServersSchema
      .prefault({})
      .describe(
        'More servers, in the map of Claude Desktop, Cursor and others as it is: keys become names (lower case, `-` for what a name may not hold), and keys that mean nothing here are ignored.',
      ),
    authentication: authenticationSchema
      .prefault({})
      .describe('Who may use the gateway, and how they show who they are.'),
    authorization: authorizationSchema
      .prefault({})
      .describe('What those who are let in may see and use.'),
    attributes: attributesSchema.describe(
      'What of requests has a name in rules (`mcp.attributes`), logs and metrics. What calls name is there anyway.',
    ),
    limits: limitsSchema,
    store: storeSchema,
    kubernetes: kubernetesSchema
      .prefault({})
      .describe('The cluster in which Services are looked for; only used when something is.'),
    federation: federationSchema.prefault({}).describe('How the targets look as one server.'),
    sessions: sessionsSchema.prefault({}).describe("The gateway's sessions with its clients."),
    telemetry: telemetrySchema
      .prefault({})
      .describe('Who is told of what the gateway does, and how much.'),
  })
  .superRefine(({ listen, authentication: { mode, jwt, apiKeys } }, context) => {
    const knowsSomebody = jwt.length + apiKeys.length > 0 || listen.tls?.clientCa !== undefined
    if (mode === 'off' || knowsSomebody) return
    const message = 'nobody could get in: "jwt", "apiKeys" or "listen.tls.clientCa" is needed'
    context.addIssue({ code: 'custom', message, path: ['authentication', 'mode'] })
  })
  .superRefine(({ listen, workers, sessions }, context) => {
    if (workers === 1 || !listen.legacySse || sessions.peers !== false) return
    // Its stream is with one worker, and what is posted to it comes to any.
    const message = 'cannot be served by several "workers" without "sessions.peers"'
    context.addIssue({ code: 'custom', message, path: ['listen', 'legacySse'] })
  })
  .superRefine(({ targets, authentication: { mode, jwt } }, context) => {
    const audiences = new Set(mode === 'off' ? [] : jwt.flatMap((it) => it.audiences))
    for (const [index, entry] of targets.entries()) {
      const servers = isSelectorEntry(entry) ? [] : entry.servers
      const wanted = servers.flatMap(({ auth }) => auth?.passthrough?.audience ?? [])
      const audience = wanted.find((it) => !audiences.has(it))
      if (audience === undefined) continue
      // Tokens that were meant for the gateway alone would be good for everybody it calls.
      const message = `refused: no issuer in "authentication" has ${JSON.stringify(audience)} among its "audiences"`
      context.addIssue({ code: 'custom', message, path: ['targets', index, 'auth', 'passthrough'] })
    }
  })
  .superRefine(({ targets, attributes, authorization: { rules } }, context) => {
    const options = targets.flatMap((it) => (isSelectorEntry(it) ? it.options : it.servers))
    const ownAttributes = options.flatMap((it) => it.attributes)
    const known = attributeNames({ attributes: [...attributes, ...ownAttributes], targets: [] })
    for (const [index, entry] of targets.entries()) {
      const variants = isSelectorEntry(entry) ? [] : (entry.variation?.variants ?? [])
      for (const [place, { when }] of variants.entries()) {
        const message = when === undefined ? undefined : faultOfWhen(when, known)
        if (message === undefined) continue
        const path = ['targets', index, 'variants', place, 'when']
        context.addIssue({ code: 'custom', message, path })
      }
    }
    for (const [index, rule] of rules.entries()) {
      const unknown = attributesReadBy(rule).find((it) => !known.has(it))
      if (unknown === undefined) continue
      const message = `not a rule: there is no attribute ${JSON.stringify(unknown)}; "attributes" names it`
      context.addIssue({ code: 'custom', message, path: ['authorization', 'rules', index] })
    }
  })
  .transform(({ targets, mcpServers, ...sections }): Config => ({
    ...sections,
    targets: [...targets.filter(isServed).flatMap((it) => it.servers), ...mcpServers],
    variations: targets.filter(isServed).flatMap((it) => it.variation ?? []),
    selectors: targets.filter(isSelectorEntry),
    resources: [],
    approvals: {},
    substituted: [],
    warnings: [],
  }))
  .meta({ title: 'Configuration of mcp-junction' })

function isServed(entry: ConfiguredTarget | SelectorEntry): entry is ConfiguredTarget {
  return !isSelectorEntry(entry)
}

/** JSON Schema of what users write, for editors and for the reference page. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema }) => allowReference(jsonSchema),
  })
}

/** Editors see strings before substitution, when each may still be a reference. */
function allowReference(schema: JsonSchema): void {
  const reference = '|\\$\\{'
  // Called for each layer of a schema, the outer of which have what the inner were given.
  if (schema.pattern?.endsWith(reference) === false) schema.pattern += reference
}
