/** Scopes that calls of tools need, whatever rules say: a client can ask its issuer for what is missing. */
import { z } from 'zod'
import type { Pattern } from '../../federation/index.js'
import { globPattern, matches } from '../../federation/index.js'
import type { Principal } from './principal.js'

/** What may stand in a scope (RFC 6749 §3.3), and in a challenge without being quoted. */
export const scopeSchema = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'expected a scope, without spaces or quotes')

export const toolScopesSchema = z
  .record(z.string().min(1).max(256), z.array(scopeSchema).min(1))
  .prefault({})
  .describe(
    'Scopes that a token needs for tools, by globs over exposed names, e.g. `files__write_*: [files:write]`. A call without them is answered with 403, and the client can ask for more.',
  )

/** There is no tool of a longer name, and globs take time. */
const MAX_NAME = 10_000

export class ToolScopes {
  readonly #needs: readonly { readonly pattern: Pattern; readonly scopes: readonly string[] }[]

  constructor(settings: Readonly<Record<string, readonly string[]>>) {
    this.#needs = Object.entries(settings).map(([glob, scopes]) => ({
      pattern: globPattern(glob),
      scopes,
    }))
  }

  /** Whether no tool needs any. */
  get isEmpty(): boolean {
    return this.#needs.length === 0
  }

  /** All scopes that this call needs, where the caller lacks any of them; none where it has them all. */
  lacking({ claims }: Principal, tool: string): readonly string[] {
    if (tool.length > MAX_NAME) return []
    const needed = new Set(
      this.#needs.flatMap(({ pattern, scopes }) => (matches(pattern, tool) ? scopes : [])),
    )
    const granted = scopesOf(claims)
    return [...needed].every((it) => granted.has(it)) ? [] : [...needed]
  }
}

/** As RFC 9068 has them, in one string, and as others do, in a list. */
function scopesOf({ scope, scp }: Principal['claims']): ReadonlySet<string> {
  const texts = [scope, scp].flat().filter((it) => typeof it === 'string')
  return new Set(texts.flatMap((it) => it.split(' ')))
}
