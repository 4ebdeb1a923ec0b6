/**
 * Forms of 2025-11-25 for clients of 2025-06-18, which know a choice by `enum` and `enumNames` alone and no choice of
 * several values (mcp-protocol.md §4.3).
 */
import type { JsonObject, RawObject } from '../../backends/index.js'
import {
  isJsonObject,
  joinMembers,
  RawJson,
  rawMembers,
  withMembers,
} from '../../backends/index.js'

/** The revision that brought titled choices, and choices of several. */
const TITLED_SINCE = '2025-11-25'

/** The parameters of an elicitation as a client of this revision can show them; `undefined` where it cannot. */
export function fitForm(params: RawObject, protocolVersion: string): RawObject | undefined {
  const { requestedSchema } = params.value
  if (protocolVersion >= TITLED_SINCE || !isJsonObject(requestedSchema)) return params
  const { properties } = requestedSchema
  if (!isJsonObject(properties)) return params
  const kinds = new Set(Object.values(properties).map(kindOf))
  if (kinds.has('several')) return undefined
  if (!kinds.has('titled')) return params
  const schema = RawJson.fromText<JsonObject>(
    rawMembers(params.text).get('requestedSchema') ?? '{}',
  )
  const fields = rawMembers(rawMembers(schema.text).get('properties') ?? '{}')
  const fit = [...fields].map(([name, text]) => [name, withNames(text)] as const)
  return withMembers(params, {
    requestedSchema: withMembers(schema, { properties: joinMembers(fit) }).text,
  })
}

type Kind = 'plain' | 'titled' | 'several'

function kindOf(field: unknown): Kind {
  if (!isJsonObject(field)) return 'plain'
  if (field['type'] === 'array') return 'several'
  return choicesOf(field) === undefined ? 'plain' : 'titled'
}

function choicesOf({ oneOf, anyOf }: JsonObject): readonly JsonObject[] | undefined {
  const choices = oneOf ?? anyOf
  return Array.isArray(choices) && choices.length > 0 && choices.every(isJsonObject)
    ? choices
    : undefined
}

function withNames(text: string): string {
  const field = RawJson.fromText<JsonObject>(text)
  const choices = isJsonObject(field.value) ? choicesOf(field.value) : undefined
  if (choices === undefined) return text
  const values = choices.map((it) => it['const'] ?? null)
  const names = choices.map((it) => it['title'] ?? it['const'] ?? null)
  return withMembers(field, {
    oneOf: undefined,
    anyOf: undefined,
    enum: JSON.stringify(values),
    enumNames: JSON.stringify(names),
  }).text
}
