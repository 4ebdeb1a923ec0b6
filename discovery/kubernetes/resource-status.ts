/**
 * The status of `Backend` resources, written to the cluster when it changes. Server-side apply under a name of our own leaves alone what another controller wrote.
 */
import { LRUCache } from 'lru-cache'
import type { KubernetesApi } from './api.js'
import { KubernetesError } from './api.js'
import type { Health } from './conditions.js'
import { conditionsOf } from './conditions.js'
import type { ResourceFindings } from './picture.js'
import { statusPath } from './selection.js'

/** What the API takes in a condition's message. */
const MAX_MESSAGE = 32_768
/** Of more resources, those not looked at the longest are written again. */
const MAX_REMEMBERED = 10_000
const MANAGER = 'mcp-junction'
/** Targets connect one after another. */
const SETTLE_MS = 1_000
const RETRY_MS = 30_000

export interface StatusListener {
  /** A status could not be written; said once for each resource and reason. */
  onRefused(object: string, reason: string): void
}

interface Written {
  readonly text: string
  /** When each condition last changed its status. */
  readonly since: ReadonlyMap<string, readonly [status: string, at: string]>
}

/** Writes the conditions of resources, when they change. */
export class ResourceStatus {
  readonly #api: KubernetesApi
  readonly #listener: StatusListener
  readonly #closing = new AbortController()
  readonly #written = new LRUCache<string, Written>({ max: MAX_REMEMBERED })
  readonly #complaints = new LRUCache<string, true>({ max: MAX_REMEMBERED })
  #wanted: readonly ResourceFindings[] = []
  #health: () => Health = () => new Map()
  #timer: NodeJS.Timeout | undefined
  #isWriting = false

  constructor(api: KubernetesApi, listener: StatusListener) {
    this.#api = api
    this.#listener = listener
  }

  /** Only resources that came from the cluster have a status there. */
  update(findings: readonly ResourceFindings[], health: () => Health): void {
    this.#wanted = findings.filter(({ resource }) => resource.uid !== undefined)
    this.#health = health
    if (this.#wanted.length > 0) this.#schedule(SETTLE_MS)
  }

  close(): void {
    this.#closing.abort()
    clearTimeout(this.#timer)
  }

  #schedule(ms: number): void {
    if (this.#closing.signal.aborted) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#write()
    }, ms).unref()
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return this.#schedule(SETTLE_MS)
    this.#isWriting = true
    let isDone = true
    const health = this.#health()
    for (const findings of this.#wanted) {
      isDone = (await this.#writeOne(findings, health)) && isDone
    }
    this.#isWriting = false
    if (!isDone) this.#schedule(RETRY_MS)
  }

  /** Returns whether there is nothing left to do. */
  async #writeOne(findings: ResourceFindings, health: Health): Promise<boolean> {
    const { resource } = findings
    const object = `${resource.kind} ${resource.namespace ?? ''}/${resource.name}`
    const conditions = conditionsOf(findings, health)
    const text = JSON.stringify([resource.generation, conditions])
    // By its uid: one that was deleted and made again has no status.
    const key = resource.uid ?? ''
    const before = this.#written.get(key)
    if (before?.text === text) return true
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const since = new Map(
      conditions.map(({ type, status }) => {
        const known = before?.since.get(type)
        return [type, known?.[0] === status ? known : ([status, now] as const)]
      }),
    )
    const { apiVersion, kind, name, namespace, generation } = resource
    const body = {
      apiVersion,
      kind,
      metadata: { name, namespace },
      status: {
        conditions: conditions.map((it) => ({
          ...it,
          message: it.message.slice(0, MAX_MESSAGE),
          lastTransitionTime: since.get(it.type)?.[1],
          observedGeneration: generation,
        })),
      },
    }
    try {
      await this.#api.apply(statusPath(resource), MANAGER, body, this.#closing.signal)
      this.#written.set(key, { text, since })
      return true
    } catch (error) {
      if (this.#closing.signal.aborted) return true
      this.#complain(object, error)
      // What belongs to another controller stays with it.
      return error instanceof KubernetesError && error.status >= 400 && error.status < 500
    }
  }

  #complain(object: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const key = `${object}\n${reason}`
    if (this.#complaints.has(key)) return
    this.#complaints.set(key, true)
    this.#listener.onRefused(object, reason)
  }
}
