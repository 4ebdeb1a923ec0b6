/**
 * Token buckets and counts of what runs, for each combination of who, where and what. They live in this process: each
 * replica counts for itself. `redis/` counts the same way for all of them.
 */
import { LRUCache } from 'lru-cache'
import { createHash } from 'node:crypto'
import type { LimitSettings, Party } from './settings.js'

/** One use of something, as limits see it. */
export type Use = Readonly<Record<Party, string>> & { readonly method: string }

export type Entry =
  /** What is released has been given back when the promise resolves, or at once where there is none. It never rejects. */
  | { readonly isAdmitted: true; release(): void | Promise<void> }
  | { readonly isAdmitted: false; readonly retryAfterMs: number; readonly reason: Reason }

/** `store`: what replicas share cannot be counted now. */
export type Reason = 'rate' | 'concurrency' | 'store'

/** Callers remembered for each limit; whoever was not heard of the longest begins anew. */
const MAX_KEYS = 100_000
const MAX_KEY = 512
/** What sums of fractions are off by. */
export const ROUNDING = 1e-6
/** Nobody knows when a running call ends. */
export const CONCURRENCY_RETRY_MS = 1_000

interface Count {
  tokens: number
  at: number
  running: number
}

interface Limit {
  readonly settings: LimitSettings
  readonly methods: ReadonlySet<string>
  readonly capacity: number
  /** Tokens for a millisecond. */
  readonly speed: number
  readonly counts: LRUCache<string, Count>
}

export class Limiter {
  readonly #now: () => number
  #limits: readonly Limit[] = []

  constructor(settings: readonly LimitSettings[], now: () => number = () => performance.now()) {
    this.#now = now
    this.update(settings)
  }

  /** Whether anything is limited at all. */
  get isActive(): boolean {
    return this.#limits.length > 0
  }

  /** Limits that stay as they were go on counting. */
  update(settings: readonly LimitSettings[]): void {
    const before = new Map(this.#limits.map((limit) => [JSON.stringify(limit.settings), limit]))
    this.#limits = settings.map((it) => before.get(JSON.stringify(it)) ?? limitOf(it))
  }

  /** Takes what all limits together have to give, or nothing of any. */
  enter(use: Use): Entry {
    const now = this.#now()
    const taken: Count[] = []
    for (const limit of this.#limits) {
      if (!limit.methods.has(use.method)) continue
      const count = countOf(limit, use, now)
      const { concurrency = Infinity } = limit.settings
      if (count.running >= concurrency) {
        return { isAdmitted: false, retryAfterMs: CONCURRENCY_RETRY_MS, reason: 'concurrency' }
      }
      if (count.tokens < 1 - ROUNDING) {
        const retryAfterMs = Math.ceil((1 - count.tokens) / limit.speed - ROUNDING)
        return { isAdmitted: false, retryAfterMs, reason: 'rate' }
      }
      taken.push(count)
    }
    for (const count of taken) {
      count.tokens -= 1
      count.running += 1
    }
    let isReleased = false
    return {
      isAdmitted: true,
      release: () => {
        if (isReleased) return
        isReleased = true
        for (const count of taken) count.running -= 1
      },
    }
  }
}

function limitOf(settings: LimitSettings): Limit {
  const { rate, burst, methods } = settings
  return {
    settings,
    methods: new Set<string>(methods),
    capacity: rate === undefined ? Infinity : (burst ?? rate.count),
    speed: rate === undefined ? 0 : rate.count / rate.perMs,
    counts: new LRUCache({ max: MAX_KEYS }),
  }
}

/** Anybody can call a tool by a name of megabytes, and each is remembered. */
function short(key: string): string {
  return key.length > MAX_KEY ? createHash('sha256').update(key).digest('base64') : key
}

/** The count of this combination, with the tokens that came in since it was last looked at. */
function countOf({ settings, counts, capacity, speed }: Limit, use: Use, now: number): Count {
  const key = short(JSON.stringify(settings.per.map((party) => use[party])))
  const known = counts.get(key)
  if (known === undefined) {
    const fresh: Count = { tokens: capacity, at: now, running: 0 }
    counts.set(key, fresh)
    return fresh
  }
  if (capacity !== Infinity) {
    known.tokens = Math.min(capacity, known.tokens + (now - known.at) * speed)
  }
  known.at = now
  return known
}
