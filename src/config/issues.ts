/** Zod's issues made into problems with places: unions told by the branch that was meant, unknown keys one by one. */
import type { z } from 'zod'
import { isOfWrongType } from './messages.js'
import { nearestWord } from './nearest-word.js'
import type { Problems } from './problems.js'
import type { JsonSchema } from './schema.js'
import type { ConfigNode, NodePath } from './tree.js'
import { childOf, nodeAt, placeOf } from './tree.js'

type Issue = z.core.$ZodIssue

/** `schema` is the JSON Schema of what was parsed: it tells which keys there are. */
export function reportIssues(
  issues: readonly Issue[],
  root: ConfigNode,
  schema: JsonSchema,
  problems: Problems,
): void {
  const report = (issue: Issue, base: NodePath): void => {
    const path = [...base, ...issue.path]
    const branch = issue.code === 'invalid_union' ? bestBranch(issue.errors) : undefined
    if (branch !== undefined) {
      for (const inner of branch) report(inner, path)
    } else if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schemasAt(schema, path), nodeAt(root, path))
      for (const key of issue.keys) {
        problems.add(placeOf(root, [...path, key]), unknownKey(key, known))
      }
    } else {
      problems.add(placeOf(root, path), issue.message)
    }
  }
  for (const issue of issues) report(issue, [])
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = nearestWord(key, known)
  const advice =
    nearest === undefined ? `known here: ${known.join(', ')}` : `did you mean "${nearest}"?`
  return `unknown key "${key}"; ${advice}`
}

/** The branch with the least against it; none where the value is of another kind than all of them. */
function bestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  let best: readonly Issue[] | undefined
  let leastFaults = Infinity
  for (const issues of branches) {
    const faults = issues.reduce((sum, issue) => sum + faultsIn(issue), 0)
    if (faults >= leastFaults) continue
    best = issues
    leastFaults = faults
  }
  return best
}

function faultsIn(issue: Issue): number {
  if (isOfWrongType(issue)) return Infinity
  return issue.code === 'unrecognized_keys' ? issue.keys.length : 1
}

/** The keys of the forms that a mapping can still become; of all forms, where it has nothing that tells them apart. */
function knownKeys(schemas: readonly JsonSchema[], node: ConfigNode | undefined): string[] {
  const forms = schemas.filter(({ properties }) => properties !== undefined)
  const meant = forms.filter(({ required = [] }) => required.every((key) => childOf(node, key)))
  const possible = meant.length > 0 ? meant : forms
  return possible.flatMap(({ properties = {} }) => Object.keys(properties))
}

/** What the schema says of the value at `path`, with every branch beside its union. */
function schemasAt(schema: JsonSchema, path: NodePath): readonly JsonSchema[] {
  return path.reduce<readonly JsonSchema[]>(
    (found, key) => found.flatMap((outer) => withBranches(memberSchema(outer, key))),
    withBranches(schema),
  )
}

function withBranches(schema: JsonSchema | boolean | undefined): JsonSchema[] {
  if (typeof schema !== 'object') return []
  return [schema, ...(schema.anyOf ?? []).flatMap(withBranches)]
}

function memberSchema(schema: JsonSchema, key: PropertyKey): JsonSchema | boolean | undefined {
  const { items, properties = {}, additionalProperties } = schema
  if (typeof key === 'number') return Array.isArray(items) ? items[key] : items
  const name = String(key)
  return Object.hasOwn(properties, name) ? properties[name] : additionalProperties
}
