/**
 * Which protocol a POST speaks (mcp-protocol.md §3.1). The body decides: a claim of a version in `_meta` is modern,
 * everything else is legacy, whatever headers say.
 */
import type { JsonObject, Message } from '../../backends/index.js'
import { isJsonObject, MetaKey, MODERN_VERSION } from '../../backends/index.js'

/** Newest first: what `initialize` is answered with where the client asks for something else. */
const SERVED_LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26'] as const

export type Classification = 'modern' | 'initialize' | 'legacy'

export function classify(message: Message, versionHeader?: string): Classification {
  if (message.kind !== 'request' && message.kind !== 'notification') return 'legacy'
  const claim = versionClaim(message.params.value)
  const isInitialize = message.kind === 'request' && message.method === 'initialize'
  // A malformed claim does not keep an old client from opening its session.
  if (claim !== undefined && !(isInitialize && typeof claim !== 'string')) return 'modern'
  if (isInitialize) return 'initialize'
  // Whoever names this revision in the header alone has forgotten something, and is told what.
  return versionHeader === MODERN_VERSION ? 'modern' : 'legacy'
}

/** The version to answer `initialize` with (2025-11-25 basic/lifecycle): the one asked for, else our newest. */
export function negotiateVersion(asked: unknown): string {
  return SERVED_LEGACY_VERSIONS.find((version) => version === asked) ?? SERVED_LEGACY_VERSIONS[0]
}

/** Versions before 2025-06-18 know no such header; what names an era we do not serve is refused. */
export function isServedVersionHeader(header: string | undefined): boolean {
  return header === undefined || SERVED_LEGACY_VERSIONS.some((version) => version === header)
}

function versionClaim(params: JsonObject): unknown {
  const meta = params['_meta']
  return isJsonObject(meta) ? meta[MetaKey.protocolVersion] : undefined
}
