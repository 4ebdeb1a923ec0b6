/** What of requests is worth a name: members of their params, for rules, logs and metrics (as Envoy's MCP filter does). */
import { z } from 'zod'

/** Names that CEL takes behind a dot. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
const PATH = /^params(\.[^.]{1,64}){1,10}$/

const attributeSchema = z
  .strictObject({
    method: z
      .string()
      .regex(/^[a-z]+(\/[A-Za-z_]+)*$/, 'expected a method such as tools/call')
      .describe('Of which requests, such as `tools/call`.'),
    path: z
      .string()
      .regex(PATH, 'expected a path such as params.arguments.repository')
      .describe('Where it is, such as `params.arguments.repository`; steps are divided by dots.'),
    as: z
      .string()
      .regex(NAME, 'expected a name of letters, digits and "_"')
      .optional()
      .describe('Its name: `mcp.attributes.<name>`. Default: the last step of the path.'),
    metric: z
      .boolean()
      .prefault(false)
      .describe('Make it a label of metrics, too: 100 values of it, the rest is `_other`.'),
  })
  .transform(({ as, ...attribute }, context) => {
    const name = as ?? attribute.path.split('.').at(-1) ?? ''
    if (NAME.test(name)) return { ...attribute, as: name }
    const message = 'the last step of the path is no name; give it one with "as"'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })

/** The section `attributes`, and that of a target. */
export const attributesSchema = z.array(attributeSchema).max(100).prefault([])

export type AttributeSettings = z.output<typeof attributeSchema>
