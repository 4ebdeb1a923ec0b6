/**
 * Targets that are found rather than written one by one: Services of a Kubernetes cluster by their labels, and what
 * `Backend` resources list, in files and in the cluster. Every change leads to a new picture of the whole, made from
 * what the reflectors hold now; what changed, and in which order, is of no concern.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { BackendResource } from './backend-resource.js'
import { readBackendResource } from './backend-resource.js'
import { KubernetesApi } from './kubernetes/api.js'
import type { Cluster, Picture, Plan } from './kubernetes/picture.js'
import { pictureOf, planOf, subjectsOf } from './kubernetes/picture.js'
import type { Currency, ReflectorTiming, Subject } from './kubernetes/reflector.js'
import { Reflector, TIMING } from './kubernetes/reflector.js'
import { Reflectors } from './kubernetes/reflectors.js'
import type { Condition, Health } from './kubernetes/conditions.js'
import { conditionsOf } from './kubernetes/conditions.js'
import { ResourceStatus } from './kubernetes/resource-status.js'
import type { Selection } from './kubernetes/selection.js'
import { resourceSubjects } from './kubernetes/selection.js'
import type { Service, ServiceTargets } from './kubernetes/service.js'
import { serviceSchema, targetsOfService } from './kubernetes/service.js'
import type { KubernetesSettings } from './kubernetes/settings.js'
import type { Problem, Snapshot } from './snapshot.js'
import type { SelectorEntry } from './target-entries.js'

/** What is to be found, as the configuration has it. */
export interface Wanted {
  readonly settings: KubernetesSettings
  readonly selectors: readonly SelectorEntry[]
  readonly resources: readonly BackendResource[]
  /** Names of the targets that the configuration itself has. */
  readonly taken: ReadonlySet<string>
}

/** How current one thing that is watched is. */
export interface SourceReport {
  /** E.g. `services in shop (app=mcp)`. */
  readonly source: string
  /** It has been read once. */
  readonly ready: boolean
  /** Why what is known of it may be old, and since when. */
  readonly reason?: string
  readonly since?: string
}

export interface ResourceReport {
  readonly resource: string
  readonly conditions: readonly Condition[]
}

export interface DiscoveryListener {
  onSnapshot(snapshot: Snapshot): void
  /** Something that is watched became stale, or current again. */
  onSource(report: SourceReport): void
  /** The status of a resource cannot be written. */
  onStatusRefused(object: string, reason: string): void
}

const CLUSTER = 'kubernetes'
/** Bursts of events make one picture. */
const SETTLE_MS = 50
/** A kubeconfig may come later than the gateway. */
const OPEN_PAUSE_MS = 5_000

const NOTHING_KNOWN: Cluster = {
  services: () => undefined,
  namespaces: () => undefined,
  targetsOf: () => ({ targets: [], problems: [] }),
}

const namespaceSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }) })

export class Discovery {
  readonly #listener: DiscoveryListener
  readonly #timing: ReflectorTiming
  readonly #services = this.#reflectors((it) => serviceSchema.parse(it))
  readonly #namespaces = this.#reflectors((it) => namespaceSchema.parse(it).metadata.name)
  readonly #resources = this.#reflectors((it) => readBackendResource(it))
  /** Of each Service, as it is made of it for each manner of treating it. */
  #made = new WeakMap<Service, Map<string, ServiceTargets>>()
  /** What was last said of each thing that is watched, by its title. */
  #told: ReadonlyMap<string, string> = new Map()
  #wanted: Wanted
  #api: KubernetesApi | undefined
  /** While a cluster is connected to; what comes of an earlier one is nobody's. */
  #opening: AbortController | undefined
  #openProblem: SourceReport | undefined
  #status: ResourceStatus | undefined
  #picture: Picture | undefined
  #health: () => Health = () => new Map()
  #timer: NodeJS.Timeout | undefined

  constructor(wanted: Wanted, listener: DiscoveryListener, timing: ReflectorTiming = TIMING) {
    this.#wanted = wanted
    this.#listener = listener
    this.#timing = timing
  }

  /** What needs no cluster is told of before this returns. */
  start(): void {
    this.#look()
  }

  /** Looks for something else from now on; what stays wanted stays watched. */
  update(wanted: Wanted): void {
    if (!isDeepStrictEqual(wanted.settings, this.#wanted.settings)) this.#disconnect()
    this.#wanted = wanted
    this.#look()
  }

  /** How the targets are has changed; `health` is asked when it is to be written. */
  observe(health: () => Health): void {
    this.#health = health
    this.#status?.update(this.#picture?.findings ?? [], health)
  }

  /** What became of each `Backend` resource, as its status says it. */
  get resources(): readonly ResourceReport[] {
    const health = this.#health()
    return (this.#picture?.findings ?? []).map((findings) => {
      const { kind, namespace = '', name } = findings.resource
      return {
        resource: `${kind} ${namespace}/${name}`,
        conditions: conditionsOf(findings, health),
      }
    })
  }

  /** One for each thing that is watched; ready once what was read of it has been told. */
  get reports(): readonly SourceReport[] {
    if (this.#openProblem !== undefined) return [this.#openProblem]
    if (this.#opening !== undefined) return [{ source: CLUSTER, ready: false }]
    const isTold = this.#picture !== undefined
    return this.#all.map(({ subject, currency }) => {
      const report = reportOf(subject, currency)
      return { ...report, ready: report.ready && isTold }
    })
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#disconnect()
  }

  get #all(): readonly Reflector<unknown>[] {
    return [...this.#services.all, ...this.#namespaces.all, ...this.#resources.all]
  }

  #connect(): void {
    if (this.#api !== undefined || this.#opening !== undefined) return
    this.#opening = new AbortController()
    void this.#open(this.#wanted.settings, this.#opening.signal)
  }

  #disconnect(): void {
    this.#opening?.abort()
    this.#opening = undefined
    this.#openProblem = undefined
    this.#services.close()
    this.#namespaces.close()
    this.#resources.close()
    this.#status?.close()
    this.#api = undefined
    // The same Service may be made into something else by other settings.
    this.#made = new WeakMap()
  }

  async #open(settings: KubernetesSettings, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const api = await KubernetesApi.open(settings)
        if (signal.aborted) return
        this.#api = api
        this.#opening = undefined
        if (this.#openProblem !== undefined)
          this.#listener.onSource({ source: CLUSTER, ready: true })
        this.#openProblem = undefined
        this.#status = new ResourceStatus(api, {
          onRefused: (object, reason) => this.#listener.onStatusRefused(object, reason),
        })
        return this.#look()
      } catch (error) {
        if (signal.aborted) return
        const reason = error instanceof Error ? error.message : String(error)
        const report = { source: CLUSTER, ready: false, reason }
        if (this.#openProblem?.reason !== reason) this.#listener.onSource(report)
        this.#openProblem = report
        this.#look()
        await sleep(OPEN_PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, SETTLE_MS)
  }

  /** Watches what is wanted now, and tells what there is once all of it has been tried. */
  #look(): void {
    const { settings, selectors, resources, taken } = this.#wanted
    const home = settings.namespace ?? this.#api?.namespace ?? 'default'
    const watched = resourceSubjects(settings, home)
    const written = planOf(selectors, resources, home)
    if (this.#api === undefined && (watched.length > 0 || needsCluster(written))) {
      this.#connect()
      // Where the cluster is out of reach from the start, what needs none is served all the same.
      if (this.#openProblem === undefined || this.#picture !== undefined) return
      return this.#publish(pictureOf(written, NOTHING_KNOWN, taken, settings))
    }
    this.#resources.apply(watched)
    const inCluster = watched.flatMap((it) => inOrder(this.#resources.items(it)))
    const plan = planOf(selectors, [...resources, ...inCluster], home)
    const subjects = subjectsOf(plan)
    this.#services.apply(subjects.services)
    this.#namespaces.apply(subjects.namespaces)
    this.#tell()
    if (this.#all.some(({ currency }) => currency.status === 'starting')) return
    const cluster: Cluster = {
      services: (it) => this.#services.items(it),
      namespaces: (it) => this.#namespaces.items(it),
      targetsOf: (service, selection) => this.#targetsOf(service, selection),
    }
    this.#publish(pictureOf(plan, cluster, taken, settings))
  }

  #publish(picture: Picture): void {
    this.#picture = picture
    const problems = [...picture.snapshot.problems, ...this.#unreadable()]
    this.#listener.onSnapshot({ ...picture.snapshot, problems })
    this.#status?.update(picture.findings, this.#health)
  }

  #targetsOf(service: Service, { prefix, options }: Selection): ServiceTargets {
    const manner = JSON.stringify([prefix, options])
    const made = this.#made.get(service) ?? new Map<string, ServiceTargets>()
    this.#made.set(service, made)
    const known = made.get(manner)
    if (known !== undefined) return known
    const targets = targetsOfService(service, prefix, options, this.#wanted.settings)
    made.set(manner, targets)
    return targets
  }

  /** Says which of the things watched changed how current they are. */
  #tell(): void {
    const before = this.#told
    const told = new Map<string, string>()
    for (const { subject, currency } of this.#all) {
      if (currency.status === 'starting') continue
      const report = reportOf(subject, currency)
      told.set(subject.title, report.reason ?? '')
      if (before.get(subject.title) !== told.get(subject.title)) this.#listener.onSource(report)
    }
    this.#told = told
  }

  #unreadable(): Problem[] {
    return this.#all.flatMap(({ subject, unreadable }) =>
      Array.from(unreadable, ([key, reason]) => ({
        object: `${subject.kind} ${key}`,
        message: `cannot be read: ${reason}`,
        isNotice: false,
      })),
    )
  }

  #reflectors<T>(read: (object: unknown) => T | undefined): Reflectors<T> {
    return new Reflectors((subject) => {
      if (this.#api === undefined) throw new TypeError('nothing is watched before the API is open')
      return new Reflector(this.#api, subject, read, () => this.#schedule(), this.#timing)
    })
  }
}

/** By their names, whatever the order in which they came. */
function inOrder<T>(items: ReadonlyMap<string, T> | undefined): T[] {
  return [...(items ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
}

function needsCluster(plan: Plan): boolean {
  const { services, namespaces } = subjectsOf(plan)
  return services.length > 0 || namespaces.length > 0
}

function reportOf({ title }: Subject, currency: Currency): SourceReport {
  if (currency.status !== 'stale') return { source: title, ready: currency.status === 'current' }
  const { hasList, reason, since } = currency
  return { source: title, ready: hasList, reason, since: new Date(since).toISOString() }
}
