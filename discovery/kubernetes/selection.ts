/** What is to be looked for in the cluster, and where the API has it: entries of the configuration and of resources. */
import type { Target, TargetOptions } from '../../backends/index.js'
import { targetSchema } from '../../backends/index.js'
import type { BackendResource } from '../backend-resource.js'
import { RESOURCE_KINDS } from '../backend-resource.js'
import type { LabelSelector } from '../selectors.js'
import { selectorQuery } from '../selectors.js'
import type { SelectorEntry } from '../target-entries.js'
import type { Subject } from './reflector.js'
import type { KubernetesSettings } from './settings.js'

/** Services by labels, and how the servers behind them are treated. */
export interface Selection {
  readonly title: string
  readonly services: Subject
  /** Of these namespaces alone. */
  readonly namespaces: Subject | undefined
  readonly prefix: string | undefined
  readonly options: TargetOptions
}

/** How a server is treated of which nothing is said. */
const {
  name: _name,
  endpoint: _endpoint,
  prefix: _prefix,
  headers: _headers,
  forward: _forward,
  ...DEFAULTS
} = targetSchema.parse({ name: 'any', mcp: { url: 'http://any' } }) satisfies Target

export function selectionOfEntry(entry: SelectorEntry, home: string): Selection {
  const { prefix, options, selectors, name } = entry
  const selection = selectionOf(selectors, home, prefix, options)
  return name === undefined ? selection : { ...selection, title: `${name}: ${selection.title}` }
}

export function selectionOfResource(
  selectors: SelectorEntry['selectors'],
  home: string,
): Selection {
  return selectionOf(selectors, home, undefined, DEFAULTS)
}

function selectionOf(
  { services, namespaces }: SelectorEntry['selectors'],
  home: string,
  prefix: string | undefined,
  options: TargetOptions,
): Selection {
  const subject = servicesSubject(namespaces === undefined ? home : undefined, labels(services))
  // An empty selector takes all namespaces: they need not be known for that.
  const isAll = namespaces === undefined || selectorQuery(namespaces) === ''
  return {
    title: subject.title,
    services: subject,
    namespaces: isAll ? undefined : namespacesSubject(namespaces),
    prefix,
    options,
  }
}

/** The one Service that a resource refers to by name. */
export function serviceSubject(namespace: string, name: string): Subject {
  return servicesSubject(namespace, { fieldSelector: `metadata.name=${name}` })
}

/** The resources to be watched in the cluster. */
export function resourceSubjects({ backends }: KubernetesSettings, home: string): Subject[] {
  if (backends === false) return []
  const where = backends === 'namespace' ? `/namespaces/${home}` : ''
  return RESOURCE_KINDS.map(({ kind, path, plural, apiVersion }) => ({
    kind,
    title: `${plural} of ${apiVersion}${where === '' ? '' : ` in ${home}`}`,
    path: `${path}${where}/${plural}`,
    query: {},
    isOptional: true,
  }))
}

/** The resource itself, where its status is written. */
export function statusPath({ apiVersion, kind, namespace, name }: BackendResource): string {
  const { path = '', plural = '' } =
    RESOURCE_KINDS.find((it) => it.apiVersion === apiVersion && it.kind === kind) ?? {}
  return `${path}/namespaces/${namespace ?? ''}/${plural}/${name}/status`
}

function servicesSubject(namespace: string | undefined, query: Subject['query']): Subject {
  const by = Object.values(query).join()
  const where = namespace === undefined ? 'all namespaces' : namespace
  return {
    kind: 'Service',
    title: `services in ${where}${by === '' ? '' : ` (${by})`}`,
    path: namespace === undefined ? '/api/v1/services' : `/api/v1/namespaces/${namespace}/services`,
    query,
    isOptional: false,
  }
}

function namespacesSubject(selector: LabelSelector): Subject {
  const query = labels(selector)
  return {
    kind: 'Namespace',
    title: `namespaces (${Object.values(query).join()})`,
    path: '/api/v1/namespaces',
    query,
    isOptional: false,
  }
}

function labels(selector: LabelSelector): Subject['query'] {
  const labelSelector = selectorQuery(selector)
  return labelSelector === '' ? {} : { labelSelector }
}
