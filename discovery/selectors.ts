/** Label selectors as Kubernetes resources write them, and as its API takes them in a query. */
import { z } from 'zod'

/** Two forms of one requirement; all of a selector's must hold, and without any it selects everything. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>
  readonly matchExpressions: readonly LabelExpression[]
}

type LabelExpression =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' }

/** What one entry selects. Without `namespaces` it is one namespace, that of the entry. */
export interface Selectors {
  readonly services: LabelSelector
  readonly namespaces: LabelSelector | undefined
}

const NAME = /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/
const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/

const labelKey = z.string().regex(LABEL_KEY, 'expected the key of a label, such as app or a.io/b')
const labelValue = z
  .string()
  .refine(
    (it) => it === '' || NAME.test(it),
    'expected the value of a label, at most 63 characters',
  )

const expressionSchema = z
  .strictObject({
    key: labelKey.describe('Key of the label.'),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
      .describe('What must hold of the label.'),
    values: z.array(labelValue).optional().describe('For `In` and `NotIn`: at least one.'),
  })
  .transform(({ key, operator, values = [] }, context): LabelExpression => {
    const takesValues = operator === 'In' || operator === 'NotIn'
    if (takesValues !== values.length > 0) {
      const message = takesValues ? `${operator} needs values` : `${operator} takes no values`
      context.addIssue({ code: 'custom', message, path: ['values'] })
      return z.NEVER
    }
    return takesValues ? { key, operator, values } : { key, operator }
  })

const labelSelectorSchema = z.strictObject({
  matchLabels: z
    .record(labelKey, labelValue)
    .prefault({})
    .describe('Labels that must be there, with these values.'),
  matchExpressions: z
    .array(expressionSchema)
    .prefault([])
    .describe('More requirements; all must hold.'),
})

const services = labelSelectorSchema.optional().describe('Which Services; `{}`: all.')
const namespaces = labelSelectorSchema
  .optional()
  .describe('Of which namespaces; `{}`: all. Default: the own namespace alone.')

/** kgateway's spelling. */
const kgatewaySchema = z
  .strictObject({ serviceSelector: services, namespaceSelector: namespaces })
  .transform((it, context) => selectorsOf(it.serviceSelector, it.namespaceSelector, context))

/** agentgateway's spelling. */
const agentgatewaySchema = z
  .strictObject({ services, namespaces })
  .transform((it, context) => selectorsOf(it.services, it.namespaces, context))

/** The two spellings, of which an entry has one. */
export const selectorFields = {
  selectors: kgatewaySchema
    .optional()
    .describe('Kubernetes Services, each port of which that speaks MCP becomes a target.'),
  selector: agentgatewaySchema.optional().describe("agentgateway's spelling of `selectors`."),
}

function selectorsOf(
  written: LabelSelector | undefined,
  spaces: LabelSelector | undefined,
  context: z.core.$RefinementCtx,
): Selectors {
  if (written === undefined && spaces === undefined) {
    context.addIssue({
      code: 'custom',
      message: 'expected a selector of Services, of namespaces, or both',
    })
    return z.NEVER
  }
  return { services: written ?? { matchLabels: {}, matchExpressions: [] }, namespaces: spaces }
}

/** As the API takes it (`labelSelector=`); the API server decides what matches, by its own rules. */
export function selectorQuery({ matchLabels, matchExpressions }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  return [...equal, ...matchExpressions.map(expressionQuery)].join(',')
}

function expressionQuery(expression: LabelExpression): string {
  const { key } = expression
  switch (expression.operator) {
    case 'In':
      return `${key} in (${expression.values.join(',')})`
    case 'NotIn':
      return `${key} notin (${expression.values.join(',')})`
    case 'Exists':
      return key
    case 'DoesNotExist':
      return `!${key}`
  }
}
