/**
 * Limits that gateways share: the buckets and the leases of running calls are in Redis, and here is only what this process
 * has to give back.
 */
import { hash, randomBytes } from 'node:crypto'
import type { Entry, Use } from '../limiter.js'
import { CONCURRENCY_RETRY_MS } from '../limiter.js'
import type { LimitSettings } from '../settings.js'
import type { WhenDown } from '../store-settings.js'
import { ENTER, RELEASE, RENEW } from './scripts.js'
import type { Failure, Scripts } from './store.js'
import { StoreError } from './store.js'

/**
 * How long a slot stays taken when its gateway is gone without a word. Long enough for a gateway or a Redis that hangs
 * for a moment to keep its slots, short enough for nobody to have to look into Redis after a crash.
 */
const LEASE_MS = 10_000
/** Two renewals may fail. */
const RENEWAL_MS = 3_000
/** Sorted sets in one question; Redis answers nobody else meanwhile. */
const BATCH = 1_000
/** What ended while the store was away is told to it later. Beyond so many the leases run out by themselves. */
const MAX_OWED = 10_000
const DOWN_RETRY_MS = 1_000

interface SharedLimit {
  /** Replicas with the same settings count together, and so do settings before and after a restart. */
  readonly id: string
  readonly settings: LimitSettings
  readonly methods: ReadonlySet<string>
  readonly args: readonly string[]
  readonly hasSlots: boolean
  readonly hasBucket: boolean
}

interface Lease {
  readonly id: string
  /** Its sorted sets. */
  readonly sets: readonly string[]
}

const FREE: Entry = { isAdmitted: true, release: () => undefined }

export class SharedLimiter {
  readonly #onUncounted: (failure: Failure) => void
  /** Lease ids of two processes are never the same. */
  readonly #process = randomBytes(12).toString('base64url')
  readonly #running = new Set<Lease>()
  readonly #owed = new Set<Lease>()
  readonly #timer: NodeJS.Timeout
  #store: Scripts
  #whenDown: WhenDown
  #limits: readonly SharedLimit[] = []
  #leases = 0

  /** `onUncounted` hears of each call that was let in or limited without the store. */
  constructor(
    limits: readonly LimitSettings[],
    store: Scripts,
    whenDown: WhenDown,
    onUncounted: (failure: Failure) => void,
  ) {
    this.#store = store
    this.#whenDown = whenDown
    this.#onUncounted = onUncounted
    this.#timer = setInterval(() => void this.#renew(), RENEWAL_MS).unref()
    this.update(limits)
  }

  update(limits: readonly LimitSettings[]): void {
    // Two that are the same would be one bucket, and take twice from it.
    const byId = new Map(limits.map(limitOf).map((limit) => [limit.id, limit]))
    this.#limits = [...byId.values()]
  }

  /** Counts in another store from now on. What runs is made known to it with `resume`. */
  moveTo(store: Scripts, whenDown: WhenDown): void {
    this.#store = store
    this.#whenDown = whenDown
  }

  /** Takes what all limits together have to give, or nothing of any. Never rejects. */
  enter(use: Use): Entry | Promise<Entry> {
    const keys: string[] = []
    const sets: string[] = []
    const args: string[] = []
    for (const limit of this.#limits) {
      if (!limit.methods.has(use.method)) continue
      const key = keyOf(limit, use)
      if (limit.hasSlots) sets.push(`${key}:running`)
      if (limit.hasSlots) keys.push(`${key}:running`)
      if (limit.hasBucket) keys.push(`${key}:bucket`)
      args.push(...limit.args)
    }
    if (keys.length === 0) return FREE
    const lease: Lease = { id: `${this.#process}${(++this.#leases).toString(36)}`, sets }
    return this.#ask(lease, keys, [lease.id, String(LEASE_MS), ...args])
  }

  /** The store can be asked again: what has begun and ended without it is made known to it. */
  resume(): void {
    void this.#renew()
    const owed = [...this.#owed]
    this.#owed.clear()
    void this.#release(owed)
  }

  /** Gives back what this process has. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    const running = [...this.#running]
    this.#running.clear()
    await this.#release(running)
  }

  async #ask(lease: Lease, keys: readonly string[], args: readonly string[]): Promise<Entry> {
    try {
      const [outcome, waitMs] = readReply(await this.#store.run(ENTER, keys, args))
      if (outcome === 0) return this.#admit(lease)
      return outcome === 1
        ? { isAdmitted: false, retryAfterMs: waitMs, reason: 'rate' }
        : { isAdmitted: false, retryAfterMs: CONCURRENCY_RETRY_MS, reason: 'concurrency' }
    } catch (error) {
      this.#onUncounted(error instanceof StoreError ? error.failure : 'answer')
      if (this.#whenDown === 'open') return this.#admit(lease)
      // It may have been taken all the same.
      this.#owe([lease])
      return { isAdmitted: false, retryAfterMs: DOWN_RETRY_MS, reason: 'store' }
    }
  }

  #admit(lease: Lease): Entry {
    if (lease.sets.length === 0) return FREE
    this.#running.add(lease)
    return {
      isAdmitted: true,
      release: () => (this.#running.delete(lease) ? this.#release([lease]) : undefined),
    }
  }

  async #renew(): Promise<void> {
    // All are sent at once: what ends from now on is released behind its renewal, and stays released.
    const renewals = batchesOf(this.#running).map((batch) => {
      return this.#store.run(RENEW, namesOf(batch), [String(LEASE_MS), ...idsOf(batch)])
    })
    // Where the store is away, all of them are renewed when it is back.
    await Promise.allSettled(renewals)
  }

  async #release(leases: readonly Lease[]): Promise<void> {
    const releases = batchesOf(leases).map((batch) => {
      return this.#store.run(RELEASE, namesOf(batch), idsOf(batch))
    })
    try {
      await Promise.all(releases)
    } catch {
      this.#owe(leases)
    }
  }

  #owe(leases: readonly Lease[]): void {
    for (const lease of leases) {
      if (lease.sets.length > 0 && this.#owed.size < MAX_OWED) this.#owed.add(lease)
    }
  }
}

function limitOf(settings: LimitSettings): SharedLimit {
  const { rate, burst, methods, concurrency } = settings
  const capacity = rate === undefined ? 0 : (burst ?? rate.count)
  const speed = rate === undefined ? 0 : rate.count / rate.perMs
  return {
    id: JSON.stringify(settings),
    settings,
    methods: new Set<string>(methods),
    args: [concurrency ?? 0, capacity, speed].map(String),
    hasSlots: concurrency !== undefined,
    hasBucket: rate !== undefined,
  }
}

/** Names and addresses of callers are nobody's business who reads Redis, and may be of any length. */
function keyOf({ id, settings }: SharedLimit, use: Use): string {
  const parts = settings.per.map((party) => use[party])
  return hash('sha256', JSON.stringify([id, ...parts]), 'base64url')
}

type Slot = readonly [set: string, lease: string]

function batchesOf(leases: Iterable<Lease>): readonly (readonly Slot[])[] {
  const slots = [...leases].flatMap(({ id, sets }) => sets.map((set): Slot => [set, id]))
  const count = Math.ceil(slots.length / BATCH)
  return Array.from({ length: count }, (_, i) => slots.slice(i * BATCH, (i + 1) * BATCH))
}

function namesOf(batch: readonly Slot[]): readonly string[] {
  return batch.map(([set]) => set)
}

function idsOf(batch: readonly Slot[]): readonly string[] {
  return batch.map(([, lease]) => lease)
}

function readReply(reply: unknown): readonly [outcome: number, waitMs: number] {
  const [outcome, waitMs] = Array.isArray(reply) ? (reply as unknown[]) : []
  if (typeof outcome === 'number' && typeof waitMs === 'number') return [outcome, waitMs]
  throw new StoreError('answer', 'Redis answers what is no answer of the script')
}
