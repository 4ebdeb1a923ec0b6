/**
 * One kind of object as the API server has it: listed in pages, then watched from where the list ended. What breaks is
 * taken up again where it broke; meanwhile the last state stands. Changes are told without saying what changed: who
 * listens looks at all there is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { KubernetesApi, Query } from './api.js'
import { KubernetesError } from './api.js'

/** What a reflector needs of the API. */
export type ListWatch = Pick<KubernetesApi, 'list' | 'watch'>

/** What is listed and watched. */
export interface Subject {
  /** Of the objects. */
  readonly kind: string
  /** As people call it, e.g. `services in shop (app=mcp)`. */
  readonly title: string
  readonly path: string
  readonly query: Query
  /** Whether the cluster may not know this kind; then there are none, until it does. */
  readonly isOptional: boolean
}

/** How current a reflector is. */
export type Currency =
  | { readonly status: 'starting' }
  | { readonly status: 'current' }
  /** What is there is from before; it is tried again and again. */
  | {
      readonly status: 'stale'
      readonly reason: string
      readonly since: number
      readonly hasList: boolean
    }

export interface ReflectorTiming {
  readonly pageSize: number
  /** The API server ends a watch after this time. */
  readonly watchSeconds: number
  /** A watch is dead when not even a bookmark came for so long; the API server sends one a minute. */
  readonly silenceMs: number
  /** Even a watch that works lists anew so often. */
  readonly relistMs: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
}

export const TIMING: ReflectorTiming = {
  pageSize: 500,
  watchSeconds: 300,
  silenceMs: 90_000,
  relistMs: 1_800_000,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
}

const eventSchema = z.looseObject({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
})
const metaSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string().optional(),
    namespace: z.string().optional(),
    resourceVersion: z.string().optional(),
  }),
})
const statusSchema = z.looseObject({ code: z.number(), message: z.string().optional() })

const GONE = 410

export class Reflector<T> {
  readonly subject: Subject
  readonly #api: ListWatch
  readonly #read: (object: unknown) => T | undefined
  readonly #onChange: () => void
  readonly #timing: ReflectorTiming
  readonly #closing = new AbortController()
  #items: Map<string, T> | undefined
  #unreadable = new Map<string, string>()
  #version: string | undefined
  #listedAt = 0
  #currency: Currency = { status: 'starting' }

  /**
   * `read` makes an object what is kept of it: nothing where it is of no concern, an error where it is malformed.
   * `onChange` hears that something may have changed: the objects, or how current they are.
   */
  constructor(
    api: ListWatch,
    subject: Subject,
    read: (object: unknown) => T | undefined,
    onChange: () => void,
    timing: ReflectorTiming,
  ) {
    this.#api = api
    this.subject = subject
    this.#read = read
    this.#onChange = onChange
    this.#timing = timing
  }

  /** By `namespace/name`; `undefined` while they have never been listed. */
  get items(): ReadonlyMap<string, T> | undefined {
    return this.#items
  }

  /** Objects that are malformed and left out, with the reason. */
  get unreadable(): ReadonlyMap<string, string> {
    return this.#unreadable
  }

  get currency(): Currency {
    return this.#currency
  }

  start(): void {
    void this.#run(this.#closing.signal)
  }

  close(): void {
    this.#closing.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const startedAt = performance.now()
      try {
        const isOld = performance.now() - this.#listedAt > this.#timing.relistMs
        if (this.#version === undefined || isOld) await this.#list(signal)
        await this.#watch(signal)
        failures = 0
        // A server that ends every watch at once must not be asked without pause.
        if (performance.now() - startedAt < this.#timing.firstPauseMs)
          await pause(this.#timing.firstPauseMs, signal)
      } catch (error) {
        if (signal.aborted) return
        const status = error instanceof KubernetesError ? error.status : 0
        // A broken connection is resumed; where the API server itself says no, the list is begun anew. That a
        // version is too old to go on from is no failure, unless it goes on.
        if (status > 0) this.#version = undefined
        if (status !== GONE || failures > 0) this.#fail(error)
        if (performance.now() - startedAt > this.#timing.longestPauseMs) failures = 0
        const { firstPauseMs, longestPauseMs } = this.#timing
        const pauseMs = Math.min(firstPauseMs * 2 ** failures++, longestPauseMs)
        await pause(pauseMs * (0.5 + Math.random() / 2), signal)
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { path, query, isOptional } = this.subject
    const items = new Map<string, T>()
    const unreadable = new Map<string, string>()
    let next: string | undefined
    let version: string | undefined
    try {
      do {
        const limit = String(this.#timing.pageSize)
        const more: Query = next === undefined ? {} : { continue: next }
        const page = await this.#api.list(path, { ...query, limit, ...more }, signal)
        for (const object of page.items) this.#put(items, unreadable, object)
        version = page.resourceVersion
        next = page.next
      } while (next !== undefined)
    } catch (error) {
      const isAbsent = isOptional && error instanceof KubernetesError && error.status === 404
      if (!isAbsent) throw error
      this.#items = new Map()
      this.#unreadable = new Map()
      this.#become({ status: 'current' })
      throw new AbsentError()
    }
    this.#items = items
    this.#unreadable = unreadable
    this.#version = version
    this.#listedAt = performance.now()
    this.#become({ status: 'current' })
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { path, query } = this.subject
    const { watchSeconds, silenceMs } = this.#timing
    const silence = new AbortController()
    const onSilence = (): void =>
      silence.abort(new KubernetesError(0, 'the API server fell silent'))
    const timer = setTimeout(onSilence, silenceMs)
    const parameters = {
      ...query,
      resourceVersion: this.#version ?? '',
      allowWatchBookmarks: 'true',
      // Not all at once, where there are many.
      timeoutSeconds: String(Math.ceil(watchSeconds * (0.75 + Math.random() / 4))),
    }
    try {
      await this.#api.watch(
        path,
        parameters,
        AbortSignal.any([signal, silence.signal]),
        () => this.#become({ status: 'current' }),
        (event) => {
          timer.refresh()
          this.#take(event)
        },
      )
    } catch (error) {
      throw silence.signal.aborted ? silence.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }

  #take(line: unknown): void {
    const { type, object } = eventSchema.parse(line)
    if (type === 'ERROR') {
      const { code, message = 'the watch failed' } = statusSchema.parse(object)
      throw new KubernetesError(code, message)
    }
    const { metadata } = metaSchema.parse(object)
    const items = (this.#items ??= new Map<string, T>())
    if (type === 'DELETED') {
      items.delete(keyOf(metadata))
      this.#unreadable.delete(keyOf(metadata))
    }
    if (type === 'ADDED' || type === 'MODIFIED') this.#put(items, this.#unreadable, object)
    this.#version = metadata.resourceVersion ?? this.#version
    if (type !== 'BOOKMARK') this.#onChange()
  }

  #put(items: Map<string, T>, unreadable: Map<string, string>, object: unknown): void {
    const key = keyOf(metaSchema.parse(object).metadata)
    items.delete(key)
    unreadable.delete(key)
    try {
      const item = this.#read(object)
      if (item !== undefined) items.set(key, item)
    } catch (error) {
      const [issue] = error instanceof z.ZodError ? error.issues : []
      unreadable.set(
        key,
        issue === undefined ? 'malformed' : `${issue.path.join('.')}: ${issue.message}`,
      )
    }
  }

  #fail(error: unknown): void {
    if (error instanceof AbsentError) return
    const reason = reasonOf(error)
    const { status } = this.#currency
    const since = this.#currency.status === 'stale' ? this.#currency.since : Date.now()
    if (status === 'stale' && this.#currency.reason === reason) return
    this.#become({ status: 'stale', reason, since, hasList: this.#items !== undefined })
  }

  #become(currency: Currency): void {
    this.#currency = currency
    this.#onChange()
  }
}

/** The cluster does not know the kind; nothing is wrong, and it is asked again. */
class AbsentError extends Error {}

function keyOf({
  namespace = '',
  name = '',
}: {
  namespace?: string | undefined
  name?: string | undefined
}): string {
  return `${namespace}/${name}`
}

/** For people who can change it: the API server's own words name the verb and the resource that is missing. */
function reasonOf(error: unknown): string {
  if (error instanceof KubernetesError) {
    if (error.status === 403) return `${error.message}; it needs the verbs get, list and watch`
    return error.status === 0 ? error.message : `${error.message} (HTTP ${error.status})`
  }
  if (error instanceof z.ZodError || error instanceof SyntaxError)
    return 'the API server sent what its API does not have'
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) return error instanceof Error ? error.message : String(error)
  return `the API server cannot be reached (${code})`
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
