/** How the merged server looks to clients: its names, its words about itself, and what it does with missing parts. */
import { z } from 'zod'

const namingSchema = z.strictObject({
  mode: z
    .enum(['always', 'conflict', 'never'])
    .prefault('always')
    .describe(
      "Which names get their target's prefix: all, only those that several targets serve, or none. Names that collide all the same are left out and reported.",
    ),
  separator: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,8}$/, 'expected 1 to 8 characters from A-Z, a-z, 0-9, "_" and "-"')
    .prefault('__')
    .describe(
      'Stands between the prefix and the original name; 1 to 8 letters, digits, `_` or `-`.',
    ),
})

const serverInfoSchema = z.strictObject({
  name: z.string().min(1).max(128).prefault('mcp-junction').describe('Name told to clients.'),
  version: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Version told to clients. Default: the gateway's own."),
  title: z.string().min(1).max(128).optional().describe('Name for people, where clients show one.'),
})

/** The section `federation`. */
export const federationSchema = z.strictObject({
  naming: namingSchema.prefault({}).describe('How the names that clients see are made.'),
  failureMode: z
    .enum(['open', 'closed'])
    .prefault('open')
    .describe(
      'A list that lacks a target: `open` serves the rest and says what is missing, `closed` fails.',
    ),
  instructions: z
    .string()
    .max(8192)
    .prefault('')
    .describe("Text put before the servers' own instructions; at most 8192 characters."),
  serverInfo: serverInfoSchema.prefault({}).describe('What the gateway calls itself.'),
  attribution: z
    .boolean()
    .prefault(true)
    .describe('Begin the message of an elicitation with the name of the target that asks.'),
  includeContext: z
    .enum(['none', 'pass'])
    .prefault('none')
    .describe(
      "What becomes of a sampling request that wants other servers' context: it gets none, or it passes as it is.",
    ),
  single: z
    .boolean()
    .prefault(true)
    .describe('Serve each target also alone, under its original names, at `<path>/<target>`.'),
})

export type FederationSettings = z.output<typeof federationSchema>
