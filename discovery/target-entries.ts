/** The entries of `targets`: a server each, or several variants of one, or selectors of Services that become any number of them. */
import { z } from 'zod'
import type { ConfiguredTarget, TargetOptions } from '../backends/index.js'
import { configuredTargetSchema, optionFields, prefixSchema } from '../backends/index.js'
import type { Selectors } from './selectors.js'
import { selectorFields } from './selectors.js'

/** Services to find, and how the servers behind them are treated. */
export interface SelectorEntry {
  /** For people; it names no target. */
  readonly name: string | undefined
  readonly selectors: Selectors
  /** For all of them; a Service may say another. */
  readonly prefix: string | undefined
  readonly options: TargetOptions
}

const selectorEntrySchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('What reports call the entry. The targets are named after their Services.'),
    ...selectorFields,
    prefix: prefixSchema,
    ...optionFields,
  })
  .transform(({ name, selectors, selector, prefix, ...options }, context): SelectorEntry => {
    const found = selectors ?? selector
    if (found === undefined || (selectors !== undefined && selector !== undefined)) {
      const message = 'expected exactly one of "selectors" and "selector"'
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
    return { name, selectors: found, prefix, options }
  })

/** One entry of `targets`. */
export const targetEntrySchema = z.union([configuredTargetSchema, selectorEntrySchema])

export function isSelectorEntry(entry: ConfiguredTarget | SelectorEntry): entry is SelectorEntry {
  return 'selectors' in entry
}
