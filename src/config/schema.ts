/** The whole configuration: every section's schema stands beside what it configures, and all of them meet here. */
import { z } from 'zod'
import type { Target } from '../../backends/index.js'
import { targetSchema } from '../../backends/index.js'
import { mcpServersSchema } from '../../discovery/index.js'
import type { FederationSettings } from '../../federation/index.js'
import { federationSchema } from '../../federation/index.js'
import type { ListenSettings } from '../http/settings.js'
import { listenSchema } from '../http/settings.js'
import type { SessionSettings } from '../session/settings.js'
import { sessionsSchema } from '../session/settings.js'

export type JsonSchema = z.core.JSONSchema.JSONSchema

export interface Config {
  readonly listen: ListenSettings
  /** Those of `targets`, then those of `mcpServers`. */
  readonly targets: readonly Target[]
  readonly federation: FederationSettings
  readonly sessions: SessionSettings
}

/** Substitutions are made before; messages of the schemas never repeat a value, since it may be a secret. */
export const configSchema = z
  .strictObject({
    listen: listenSchema
      .prefault({})
      .describe('Where the gateway listens, and what it accepts there.'),
    targets: z
      .array(targetSchema)
      .prefault([])
      .describe(
        'The servers behind the gateway, each with exactly one of `mcp`, `stdio` and `static`.',
      ),
    mcpServers: mcpServersSchema
      .prefault({})
      .describe(
        'More servers, in the map of Claude Desktop, Cursor and others as it is: keys become names (lower case, `-` for what a name may not hold), and keys that mean nothing here are ignored.',
      ),
    federation: federationSchema.prefault({}).describe('How the targets look as one server.'),
    sessions: sessionsSchema.prefault({}).describe("The gateway's sessions with its clients."),
  })
  .transform(({ targets, mcpServers, ...sections }): Config => ({
    ...sections,
    targets: [...targets, ...mcpServers],
  }))
  .meta({ title: 'Configuration of mcp-junction' })

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
