/** What a caller may see and use, told to whoever runs the gateway. */
import type { JsonObject } from '../../backends/index.js'
import type { CatalogKind, Federation } from '../../federation/index.js'
import { CATALOG_KINDS, LISTS } from '../../federation/index.js'
import type { Access } from './access.js'
import type { Explanation, Policy } from './policy.js'
import type { Asker } from './rule-input.js'

/** What comes of a call of a tool. */
export interface CallExplanation extends Explanation {
  /** All scopes that it needs, where the caller lacks any of them: then it is refused, whatever the rules say. */
  readonly lackingScopes: readonly string[]
}

/** Exposed names and URIs. */
export type SeenLists = Readonly<Record<CatalogKind, readonly string[]>>

interface Parts {
  readonly access: Access
  readonly federation: Federation
  readonly policy: Policy
}

/** `undefined` where there is no such tool. */
export function explainCall(
  { access, federation, policy }: Parts,
  asker: Asker,
  tool: string,
  given: JsonObject,
): CallExplanation | undefined {
  const item = federation.toolItem(tool)
  if (item === undefined) return undefined
  const params = { name: tool, arguments: given }
  const lackingScopes = access.lackingScopes(asker.principal, tool)
  return { ...policy.explain(asker, item, 'tools/call', params), lackingScopes }
}

/** What a caller sees in each list. */
export async function listsSeen({ federation, policy }: Parts, asker: Asker): Promise<SeenLists> {
  const permit = policy.permitFor(asker)
  const seen: Partial<Record<CatalogKind, readonly string[]>> = {}
  for (const kind of CATALOG_KINDS) {
    const { member } = await federation.merged.list(kind, 'legacy', permit)
    const result = JSON.parse(`{${member}}`) as Record<string, readonly Record<string, string>[]>
    const items = result[LISTS[kind].member] ?? []
    seen[kind] = items.map((it) => it[LISTS[kind].key] ?? '')
  }
  return seen as SeenLists
}
