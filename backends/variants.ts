/**
 * A target that is several servers, such as a release and the next one on trial. Each caller is served by one of them; who by
 * which is decided elsewhere. Here is how it is written, and the servers that it comes to.
 */
import { z } from 'zod'
import { duration } from './duration.js'
import type { Target, TargetName } from './target.js'
import { serverFields, serverOf, targetFields } from './target.js'

/** One server of several, as callers are given to it. */
export interface Variant {
  readonly name: string
  /** Its part of the callers, against the sum of all. */
  readonly weight: number
  /** A rule in CEL: whom it holds for is served by this one, whatever the weights. */
  readonly when?: string
}

/** When a variant is given up, and its callers return to the first one. */
export interface Rollback {
  /** The part of calls that may fail. */
  readonly errorRate: number
  /** Fewer calls say nothing. */
  readonly minCalls: number
  readonly intervalMs: number
  /** Whether a result with `isError` is a failure. */
  readonly toolErrors: boolean
}

/** How the callers of one target are given to its servers. */
export interface Variation {
  readonly target: TargetName
  /** In order; callers return to the first. */
  readonly variants: readonly Variant[]
  /** The header that says which callers stay together. */
  readonly stickyHeader: string | undefined
  readonly rollback: Rollback | undefined
}

/** An entry of `targets`: the servers that it comes to, and how callers choose among them. */
export interface ConfiguredTarget {
  readonly servers: readonly Target[]
  /** Only where there are several. */
  readonly variation?: Variation
}

const MAX_VARIANTS = 16

const variantSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 characters from a-z, 0-9 and "-"')
    .describe('Unique among the variants: a-z, 0-9 and "-", at most 63.'),
  weight: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .describe(
      'Its part of the callers, against the sum of all weights. Default: 1, and 0 with `when`.',
    ),
  when: z
    .string()
    .min(1)
    .max(8_192)
    .optional()
    .describe(
      'A rule in CEL, of claims, headers, the client and `mcp.attributes`: whom it holds for is served by this variant, whatever the weights. The first that holds counts.',
    ),
  ...serverFields,
})

const rollbackSchema = z
  .strictObject({
    errorRate: z
      .number()
      .gt(0)
      .max(1)
      .prefault(0.2)
      .describe('The part of its calls that may fail, above 0 and at most 1.'),
    minCalls: z
      .int()
      .min(1)
      .max(1_000_000)
      .prefault(50)
      .describe('Calls within the interval, below which nothing is decided.'),
    interval: duration('1m', 'How far back calls count.').refine(
      (ms) => ms >= 1_000,
      'expected at least 1s',
    ),
    toolErrors: z
      .boolean()
      .prefault(true)
      .describe('Whether a result with `isError` is a failure.'),
  })
  .transform(({ interval, ...line }): Rollback => ({ ...line, intervalMs: interval }))

/** One entry of `targets` that names its servers. */
export const configuredTargetSchema = z
  .strictObject({
    ...targetFields,
    variants: z
      .array(variantSchema)
      .min(2, 'expected at least two variants')
      .max(MAX_VARIANTS)
      .optional()
      .describe(
        'Several servers in place of one, such as `stable` and `canary`: each session is served by one of them. A variant says where it is, and may have `headers`, `auth` and `tls` in place of the target’s; all else is the target’s.',
      ),
    stickBy: z
      .strictObject({
        header: z
          .string()
          .toLowerCase()
          .regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/, 'expected the name of a header')
          .describe('Name of the header, such as `x-user`.'),
      })
      .optional()
      .describe(
        'Which callers stay together at one variant: those with the same value of a header. Default: a session alone; of 2026-07-28, which has none, a principal, and of anonymous callers an address.',
      ),
    rollback: rollbackSchema
      .optional()
      .describe(
        'Return callers to the first variant when another fails too often, until the variants are configured anew or it is restored by hand. Counted by each process for itself.',
      ),
  })
  .transform((written, context): ConfiguredTarget => {
    const { variants, stickBy, rollback, ...target } = written
    const refuse = (message: string, ...path: (string | number)[]): never => {
      context.addIssue({ code: 'custom', message, path })
      return z.NEVER
    }
    if (variants === undefined) {
      if (stickBy !== undefined) return refuse('only "variants" are chosen by it', 'stickBy')
      if (rollback !== undefined) return refuse('only "variants" are given up', 'rollback')
      return { servers: [serverOf(target, context)] }
    }
    const own = (['mcp', 'sse', 'stdio', 'static'] as const).find((it) => target[it] !== undefined)
    if (own !== undefined) {
      return refuse('a target with "variants" is where they are, and nowhere itself', own)
    }
    const names = variants.map(({ name }) => name)
    const again = names.findIndex((name, index) => names.indexOf(name) !== index)
    if (again >= 0) return refuse('another variant has this name', 'variants', again, 'name')
    const rules = variants.map(({ name, when, weight = when === undefined ? 1 : 0 }): Variant => ({
      name,
      weight,
      ...(when === undefined ? {} : { when }),
    }))
    if (rules.every(({ weight }) => weight === 0)) {
      return refuse('at least one variant needs a "weight" above 0', 'variants')
    }
    const servers = variants.map(
      ({ name, weight: _weight, when: _when, ...server }, index): Target => {
        const given = Object.fromEntries(
          Object.entries(server).filter(([, value]) => value !== undefined),
        )
        // What is wrong is told where it is written.
        const place = ['variants', index]
        const inVariant: z.core.$RefinementCtx = {
          ...context,
          addIssue: (issue) =>
            context.addIssue(
              typeof issue === 'string'
                ? { code: 'custom', message: issue, path: place }
                : {
                    ...issue,
                    path: [...place, ...(issue.path ?? [])],
                  },
            ),
        }
        return { ...serverOf({ ...target, ...given }, inVariant), variant: name }
      },
    )
    const { name: targetName } = target
    const stickyHeader = stickBy?.header
    return {
      servers,
      variation: { target: targetName, variants: rules, stickyHeader, rollback },
    }
  })

/** What a server is called in logs and labels. */
export function serverNamesOf({ name, variant }: Pick<Target, 'name' | 'variant'>): {
  readonly target: TargetName
  readonly variant?: string
} {
  return variant === undefined ? { target: name } : { target: name, variant }
}
