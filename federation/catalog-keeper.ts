/**
 * Keeps the catalog of one backend current: reads it on connection, reads again what the backend says has
 * changed, and keeps the last good list while a new one cannot be had.
 */
import type { Backend, BackendState, ServerDescription, Target } from '../backends/index.js'
import { isJsonObject } from '../backends/index.js'
import type { BackendCatalog, CatalogKind } from './catalog.js'
import { CATALOG_KINDS, drainList, LISTS, NO_ITEMS } from './catalog.js'
import type { Approvals, Unapproved } from './definition-guard.js'
import { guard } from './definition-guard.js'
import type { Unavailable } from './errors.js'

/** Several changes in one breath make one refresh. */
const DEBOUNCE_MS = 20
/** A server that never stops telling of changes is read this often all the same. */
const LONGEST_DEBOUNCE_MS = 500
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 30_000
/** A server may call its lists current for a moment only; it is not asked more often than this. */
const SHORTEST_TTL_MS = 5_000
const LONGEST_TTL_MS = 3_600_000

export interface KeeperListener {
  /** There is a new catalog, or the backend became (un)available. */
  onCatalog(keeper: CatalogKeeper): void
  onOddItem(keeper: CatalogKeeper, what: string): void
  /** Lists were read, or could not be. */
  onRefreshed(report: RefreshReport): void
}

/** Why lists were read, and whether that went well. */
export interface RefreshReport {
  readonly target: Target
  readonly reason: RefreshReason
  readonly outcome: 'ok' | 'failed'
}

type RefreshReason = 'connected' | 'list_changed' | 'expired' | 'retry'

export class CatalogKeeper {
  readonly backend: Backend
  readonly #listener: KeeperListener
  readonly #stale = new Set<CatalogKind>()
  readonly #since = Date.now()
  /** By `performance.now()`, as everything that is waited for. */
  readonly #addedAt = performance.now()
  /** When the first of what is stale was told of, by `performance.now()`. */
  #staleSince: number | undefined
  #approvals: Approvals
  #offered: BackendCatalog | undefined
  #catalog: BackendCatalog | undefined
  #unapproved: readonly Unapproved[] = []
  #failure: { readonly reason: string; readonly since: number } | undefined
  #timer: NodeJS.Timeout | undefined
  #expiry: NodeJS.Timeout | undefined
  #refreshing = false
  /** Of those that come together, the first. */
  #reason: RefreshReason | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false
  #wake: (() => void)[] = []

  constructor(backend: Backend, approvals: Approvals, listener: KeeperListener) {
    this.backend = backend
    this.#approvals = approvals
    this.#listener = listener
  }

  /** The last good lists, without what is kept away; `undefined` before the first. */
  get catalog(): BackendCatalog | undefined {
    return this.#catalog
  }

  /** The same as the backend gave them. */
  get offered(): BackendCatalog | undefined {
    return this.#offered
  }

  /** Tools with definitions that nobody approved, where that matters. */
  get unapproved(): readonly Unapproved[] {
    return this.#unapproved
  }

  /** Takes over other approvals. */
  approve(approvals: Approvals): void {
    this.#approvals = approvals
    if (this.#offered === undefined || this.backend.target.guard === 'off') return
    this.#adopt(this.#offered)
    this.#tell()
  }

  /** Whether the first attempt has come to an end, good or bad. */
  get settled(): boolean {
    return (
      this.#catalog !== undefined ||
      this.#failure !== undefined ||
      this.backend.state.status === 'unreachable'
    )
  }

  /** Why the lists of this backend are missing or may be old; `undefined` while all is well. */
  get unavailable(): Unavailable | undefined {
    const { state, target } = this.backend
    const report = (reason: string, since: number): Unavailable => ({
      target: target.name,
      reason,
      since: new Date(since).toISOString(),
    })
    if (state.status === 'unreachable') return report(state.reason, state.since)
    if (state.status !== 'ready') return report('not connected yet', state.since)
    if (this.#failure !== undefined) return report(this.#failure.reason, this.#failure.since)
    return this.#catalog === undefined ? report('its lists are being read', this.#since) : undefined
  }

  /** Waits until `settled`, but not past `deadlineMs` after the backend was added. */
  async settle(deadlineMs: number): Promise<void> {
    const leftMs = this.#addedAt + deadlineMs - performance.now()
    if (this.settled || leftMs <= 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, leftMs)
      this.#wake.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  onState(state: BackendState): void {
    if (state.status === 'ready') this.refresh(CATALOG_KINDS, 'connected')
    else this.#tell()
  }

  /** Reads the lists again, soon and together with what else turns stale. */
  refresh(kinds: readonly CatalogKind[], reason: RefreshReason): void {
    this.#reason ??= reason
    for (const kind of kinds) this.#stale.add(kind)
    this.#staleSince ??= performance.now()
    const leftMs = this.#staleSince + LONGEST_DEBOUNCE_MS - performance.now()
    this.#schedule(this.#catalog === undefined ? 0 : Math.max(0, Math.min(DEBOUNCE_MS, leftMs)))
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#expiry)
    this.#release()
  }

  #schedule(delayMs: number): void {
    if (this.#closed || this.#refreshing) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#refresh(), delayMs)
  }

  async #refresh(): Promise<void> {
    const { state } = this.backend
    if (state.status !== 'ready' || this.#stale.size === 0) return
    const kinds = [...this.#stale]
    this.#stale.clear()
    this.#staleSince = undefined
    this.#refreshing = true
    const reason = this.#reason ?? 'retry'
    this.#reason = undefined
    const outcomes = await Promise.allSettled(kinds.map((kind) => this.#read(state.server, kind)))
    this.#refreshing = false
    if (this.#closed) return

    const items = { ...(this.#offered?.items ?? NO_ITEMS) }
    const freshness = { ...this.#catalog?.freshness }
    let failure: unknown
    let fresh = 0
    for (const [index, kind] of kinds.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status === 'fulfilled') {
        items[kind] = outcome.value.items
        if (outcome.value.freshness === undefined) delete freshness[kind]
        else freshness[kind] = outcome.value.freshness
        fresh++
      } else {
        this.#stale.add(kind)
        failure = outcome?.reason
      }
    }
    if (fresh > 0) this.#adopt({ server: state.server, items, freshness })
    this.#scheduleExpiry()
    if (failure === undefined) {
      this.#failure = undefined
      this.#retryMs = FIRST_RETRY_MS
      if (this.#stale.size > 0) this.#schedule(DEBOUNCE_MS)
    } else {
      this.#failure = {
        reason: this.backend.reasonFor(failure),
        since: this.#failure?.since ?? Date.now(),
      }
      this.#schedule(this.#retryMs)
      this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
    }
    const outcome = failure === undefined ? 'ok' : 'failed'
    this.#listener.onRefreshed({ target: this.backend.target, reason, outcome })
    this.#tell()
  }

  #adopt(offered: BackendCatalog): void {
    const { tools, unapproved } = guard(this.backend.target, offered.items.tools, this.#approvals)
    this.#offered = offered
    this.#unapproved = unapproved
    this.#catalog = { ...offered, items: { ...offered.items, tools } }
  }

  /** Reads a list again when the server said it would no longer be current, where it does not tell of changes. */
  #scheduleExpiry(): void {
    clearTimeout(this.#expiry)
    const { server, freshness = {} } = this.#catalog ?? {}
    const expiring = CATALOG_KINDS.flatMap((kind) => {
      const { until = 0 } = freshness[kind] ?? {}
      const capability = server?.capabilities[LISTS[kind].capability]
      const isTold = isJsonObject(capability) && capability['listChanged'] === true
      return until > performance.now() && !isTold ? [{ kind, until }] : []
    })
    if (expiring.length === 0) return
    const soonest = Math.min(...expiring.map((it) => it.until)) - performance.now()
    this.#expiry = setTimeout(
      () =>
        this.refresh(
          expiring.map((it) => it.kind),
          'expired',
        ),
      Math.min(Math.max(soonest, SHORTEST_TTL_MS), LONGEST_TTL_MS),
    ).unref()
  }

  #read(server: ServerDescription, kind: CatalogKind) {
    return drainList(this.backend, server, kind, (what) => this.#listener.onOddItem(this, what))
  }

  #tell(): void {
    if (this.settled) this.#release()
    this.#listener.onCatalog(this)
  }

  /** Nobody needs to wait any longer. */
  #release(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
