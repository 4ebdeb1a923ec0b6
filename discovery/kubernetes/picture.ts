/**
 * From what is wanted and what the cluster holds to targets: first a plan, which says what has to be known, then the
 * picture, once it is. Nothing here waits or remembers.
 */
import type { TargetName } from '../../backends/index.js'
import type { BackendResource, ResourceTarget } from '../backend-resource.js'
import type { Found, Group, Problem, Snapshot } from '../snapshot.js'
import { settleNames } from '../snapshot.js'
import type { SelectorEntry } from '../target-entries.js'
import type { Subject } from './reflector.js'
import type { Selection } from './selection.js'
import { selectionOfEntry, selectionOfResource, serviceSubject } from './selection.js'
import type { Service, ServiceTargets } from './service.js'
import { referredTarget, serviceRef } from './service.js'
import type { KubernetesSettings } from './settings.js'

export interface Plan {
  readonly selections: readonly Selection[]
  readonly resources: readonly PlannedResource[]
  readonly problems: readonly Problem[]
}

interface PlannedResource {
  readonly resource: BackendResource
  /** `<namespace>/<name>` */
  readonly group: string
  readonly parts: readonly Part[]
}

type Part =
  Exclude<ResourceTarget, { kind: 'selectors' | 'reference' }> | SelectionPart | ReferencePart

interface SelectionPart {
  readonly kind: 'selection'
  readonly name: string
  readonly selection: Selection
}

type ReferencePart = Extract<ResourceTarget, { kind: 'reference' }> & { readonly subject: Subject }

/** What the cluster holds, as far as the plan asks for it and as far as it is known. */
export interface Cluster {
  services(subject: Subject): ReadonlyMap<string, Service> | undefined
  namespaces(subject: Subject): ReadonlyMap<string, unknown> | undefined
  /** The targets of a Service; the same each time. */
  targetsOf(service: Service, selection: Selection): ServiceTargets
}

/** What became of a resource, for its status. */
export interface ResourceFindings {
  readonly resource: BackendResource
  readonly parts: readonly PartFindings[]
}

export interface PartFindings {
  readonly name: string
  /** Those that are served. */
  readonly targets: readonly TargetName[]
  /** Why the part, or some of it, is not; `isUnresolved` where what it refers to is not there. */
  readonly refusals: readonly { readonly reason: string; readonly isUnresolved: boolean }[]
}

export interface Picture {
  readonly snapshot: Snapshot
  readonly findings: readonly ResourceFindings[]
}

/** `home` is the gateway's own namespace. Of two resources of one name the first counts. */
export function planOf(
  entries: readonly SelectorEntry[],
  resources: readonly BackendResource[],
  home: string,
): Plan {
  const planned = new Map<string, PlannedResource>()
  const problems: Problem[] = []
  for (const written of resources) {
    const resource = { ...written, namespace: written.namespace ?? home }
    const group = `${resource.namespace}/${resource.name}`
    const first = planned.get(group)
    if (first === undefined) {
      planned.set(group, {
        resource,
        group,
        parts: resource.targets.map((it) => partOf(it, resource.namespace)),
      })
    } else {
      const message = `the path of this name is that of the ${first.resource.kind}, which came first`
      problems.push({ object: `${resource.kind} ${group}`, message, isNotice: false })
    }
  }
  return {
    selections: entries.map((entry) => selectionOfEntry(entry, home)),
    resources: [...planned.values()],
    problems,
  }
}

function partOf(target: ResourceTarget, namespace: string): Part {
  switch (target.kind) {
    case 'selectors':
      return {
        kind: 'selection',
        name: target.name,
        selection: selectionOfResource(target.selectors, namespace),
      }
    case 'reference':
      return { ...target, subject: serviceSubject(namespace, target.reference.service) }
    case 'fixed':
    case 'refused':
      return target
  }
}

/** What has to be known for a plan. */
export function subjectsOf({ selections, resources }: Plan): {
  services: Subject[]
  namespaces: Subject[]
} {
  const parts = resources.flatMap((it) => it.parts)
  const chosen = [
    ...selections,
    ...parts.flatMap((part) => (part.kind === 'selection' ? part.selection : [])),
  ]
  const referred = parts.flatMap((part) => (part.kind === 'reference' ? part.subject : []))
  return {
    services: [...chosen.map((it) => it.services), ...referred],
    namespaces: chosen.flatMap((it) => it.namespaces ?? []),
  }
}

/** `taken` holds the names of targets that are not found but written. */
export function pictureOf(
  plan: Plan,
  cluster: Cluster,
  taken: ReadonlySet<string>,
  settings: KubernetesSettings,
): Picture {
  const problems: Problem[] = [...plan.problems]
  const found = plan.selections.flatMap((selection) => {
    const part = select(selection, cluster)
    problems.push(...part.problems)
    if (part.count === 0) problems.push(notice(selection.title, 'matches no Service'))
    return part.found
  })
  const byResource = plan.resources.map((planned) => ({
    planned,
    parts: planned.parts.map((part) => findPart(part, planned, cluster, settings)),
  }))
  for (const { planned, parts } of byResource) {
    const { resource, group } = planned
    const object = `${resource.kind} ${group}`
    if (resource.refusal !== undefined)
      problems.push({ object, message: resource.refusal, isNotice: false })
    for (const part of parts) {
      problems.push(...part.problems)
      for (const { reason } of part.refusals) {
        problems.push({ object, message: `target "${part.name}": ${reason}`, isNotice: false })
      }
      if (part.count === 0)
        problems.push(notice(object, `target "${part.name}" matches no Service`))
      found.push(...part.found)
    }
  }
  const settled = settleNames(found, taken)
  const isServed = ({ target }: Found): boolean => settled.targets.has(target.name)
  const findings = byResource.map(({ planned, parts }): ResourceFindings => ({
    resource: planned.resource,
    parts: parts.map(({ name, found: own, refusals }) => {
      const lost = own.filter((it) => !isServed(it)).map(({ target }) => target.name)
      const reason = `the name ${lost.join(', ')} is claimed twice`
      return {
        name,
        targets: own.filter(isServed).map(({ target }) => target.name),
        refusals: lost.length === 0 ? refusals : [...refusals, { reason, isUnresolved: false }],
      }
    }),
  }))
  const groups = findings.flatMap(({ resource, parts }): Group[] => {
    const { namespace = '', name, failureMode, prefixMode, refusal } = resource
    if (refusal !== undefined) return []
    const targets = [...new Set(parts.flatMap((it) => it.targets))]
    return [{ name: `${namespace}/${name}`, targets, failureMode, prefixMode }]
  })
  return {
    snapshot: {
      targets: [...settled.targets.values()],
      groups,
      problems: unique([...problems, ...settled.problems]),
    },
    findings,
  }
}

interface PartResult {
  readonly name: string
  readonly found: readonly Found[]
  readonly refusals: PartFindings['refusals']
  readonly problems: readonly Problem[]
  /** How many Services a selection matched, where that is known. */
  readonly count: number | undefined
}

function findPart(
  part: Part,
  { resource, group }: PlannedResource,
  cluster: Cluster,
  settings: KubernetesSettings,
): PartResult {
  const { name } = part
  const object = `${resource.kind} ${group}`
  const nothing = { name, found: [], refusals: [], problems: [], count: undefined }
  switch (part.kind) {
    case 'refused':
      return { ...nothing, refusals: [{ reason: part.reason, isUnresolved: false }] }
    case 'selection':
      return { ...nothing, ...select(part.selection, cluster) }
    case 'fixed': {
      const identity = JSON.stringify(part.target.endpoint)
      return { ...nothing, found: [{ target: part.target, identity, object }] }
    }
    case 'reference': {
      const [service] = cluster.services(part.subject)?.values() ?? []
      if (service === undefined) {
        const reason = `there is no Service "${part.reference.service}"`
        return { ...nothing, refusals: [{ reason, isUnresolved: true }] }
      }
      const target = referredTarget(service, name, part.reference, settings)
      if (typeof target === 'string') {
        return { ...nothing, refusals: [{ reason: target, isUnresolved: true }] }
      }
      return { ...nothing, found: [{ target, identity: JSON.stringify(target.endpoint), object }] }
    }
  }
}

function select(
  selection: Selection,
  cluster: Cluster,
): Pick<PartResult, 'found' | 'problems' | 'count'> {
  const candidates = cluster.services(selection.services)
  const allowed = selection.namespaces && (cluster.namespaces(selection.namespaces) ?? new Map())
  if (candidates === undefined) return { found: [], problems: [], count: undefined }
  const services = [...candidates]
    .filter(([, { metadata }]) => allowed?.has(`/${metadata.namespace}`) ?? true)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const results = services.map(([, service]) => ({
    object: serviceRef(service),
    ...cluster.targetsOf(service, selection),
  }))
  return {
    count: services.length,
    problems: results.flatMap((it) => it.problems),
    found: results.flatMap(({ object, targets }) =>
      targets.map((target) => ({
        target,
        object,
        identity: `${object} ${JSON.stringify(target.endpoint)}`,
      })),
    ),
  }
}

function notice(object: string, message: string): Problem {
  return { object, message, isNotice: true }
}

/** A Service that two selections find has its problems once. */
function unique(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((it) => [`${it.object}\n${it.message}`, it])).values()]
}
