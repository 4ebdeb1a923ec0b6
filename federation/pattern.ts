/**
 * Patterns of literals and wild cards, for globs over names and for URI templates. Matched by following all
 * possibilities at once: time grows with pattern × text at worst, so no pattern of a backend's can hang us
 * as a regular expression could.
 */

/** `any` takes any run of characters, `segment` any run without "/", "?" and "#", `one` a single character. */
type Token =
  { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'any' | 'segment' | 'one' }

export type Pattern = readonly Token[]

/** `*` takes any run of characters, `?` one. */
export function globPattern(glob: string): Pattern {
  return (glob.match(/\*+|\?|[^*?]+/g) ?? []).map((part): Token => {
    if (part.startsWith('*')) return { kind: 'any' }
    return part === '?' ? { kind: 'one' } : { kind: 'literal', text: part }
  })
}

/**
 * The URIs an RFC 6570 template can expand to, or more: which variables there are does not matter here, only
 * whose template it is. `{var}` stays within a path segment, every other operator may go beyond.
 */
export function templatePattern(template: string): Pattern {
  return (template.match(/\{[^{}]*\}|[^{}]+|[{}]/g) ?? []).map((part): Token => {
    if (!/^\{.*\}$/s.test(part)) return { kind: 'literal', text: part }
    return { kind: /^\{[A-Za-z0-9_]/.test(part) && !part.includes('*') ? 'segment' : 'any' }
  })
}

export function matches(pattern: Pattern, text: string): boolean {
  // The set of positions in `text` that the tokens so far can have reached.
  let reached = new Uint8Array(text.length + 1)
  reached[0] = 1
  for (const token of pattern) {
    const next = new Uint8Array(text.length + 1)
    if (token.kind === 'literal') {
      const size = token.text.length
      for (let at = text.indexOf(token.text); at !== -1; at = text.indexOf(token.text, at + 1)) {
        if (reached[at] === 1) next[at + size] = 1
      }
    } else if (token.kind === 'one') {
      for (let at = 0; at < text.length; at++) if (reached[at] === 1) next[at + 1] = 1
    } else {
      let open = false
      for (let at = 0; at <= text.length; at++) {
        if (reached[at] === 1) open = true
        if (open) next[at] = 1
        if (token.kind === 'segment' && endsSegment(text.charCodeAt(at))) open = false
      }
    }
    reached = next
  }
  return reached[text.length] === 1
}

function endsSegment(code: number): boolean {
  return code === 0x2f || code === 0x3f || code === 0x23
}
