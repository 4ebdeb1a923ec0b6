/**
 * Resources that their servers allow to be kept for everybody (2026-07-28 server/utilities/caching). What is for one caller
 * alone is never kept, nor what came of a request with answers or state in it.
 */
import { LRUCache } from 'lru-cache'
import type { RawObject, TargetName } from '../backends/index.js'
import { byteLengthOf, withMembers } from '../backends/index.js'

const MAX_BYTES = 32 * 1024 * 1024
/** Larger ones would push out all others. */
const MAX_RESULT_BYTES = 1024 * 1024
/** A server may ask for more; what changes unheard must not stay for ever. */
const LONGEST_TTL_MS = 3_600_000

interface Kept {
  readonly result: RawObject
  /** By `performance.now()`. */
  readonly until: number
}

export class ReadCache {
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ result }) => byteLengthOf(result.wire),
  })

  /** The result, with the time that it still holds; `undefined` where the server has to be asked. */
  get(target: TargetName, params: RawObject): RawObject | undefined {
    const key = keyOf(target, params)
    const kept = key === undefined ? undefined : this.#kept.get(key)
    const leftMs = Math.floor((kept?.until ?? 0) - performance.now())
    if (kept === undefined || leftMs <= 0) return undefined
    return withMembers(kept.result, { ttlMs: String(leftMs) })
  }

  keep(target: TargetName, params: RawObject, result: RawObject): void {
    const { ttlMs, cacheScope, resultType } = result.value
    const key = keyOf(target, params)
    const isForAll = cacheScope === 'public' && resultType === undefined
    if (key === undefined || !isForAll || typeof ttlMs !== 'number' || !(ttlMs > 0)) return
    if (byteLengthOf(result.wire) > MAX_RESULT_BYTES) return
    this.#kept.set(key, { result, until: performance.now() + Math.min(ttlMs, LONGEST_TTL_MS) })
  }

  /** A resource of a target has changed, or nobody knows which. */
  forget(target: TargetName, uri?: string): void {
    for (const key of this.#kept.keys()) {
      const [owner, kept] = JSON.parse(key) as [string, string]
      if (owner === target && (uri === undefined || kept === uri)) this.#kept.delete(key)
    }
  }
}

/** Requests that say more than which resource they want are each of their own kind. */
function keyOf(target: TargetName, { value }: RawObject): string | undefined {
  const { uri, _meta: _, ...others } = value
  return Object.keys(others).length === 0 ? JSON.stringify([target, uri]) : undefined
}
