/** What metrics say of requests: how many, how long, how often wrong, by what, to whom and from whom. */
import type { Attributes } from '@opentelemetry/api'
import { idOf } from '../../backends/index.js'
import type { Session } from '../session/session.js'
import type { CounterSeries, HistogramSeries } from './aggregates.js'
import { addDuration, Counts, Durations, FINE_BOUNDARIES } from './aggregates.js'
import type { BoundedLabels } from './bounded-labels.js'
import { OTHER } from './bounded-labels.js'
import { METRICS } from './metric-descriptions.js'
import type { Operation } from './operations.js'
import { gatewayMsOf } from './operations.js'
import { isCode, networkOf } from './span-attributes.js'
import { TupleCache } from './tuple-cache.js'
import type { UpstreamOperation } from './upstream-operation.js'

/** Methods that become labels. What else is asked for is made up by clients. */
const METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/result',
  'tasks/list',
  'tasks/update',
  'tasks/cancel',
])

/** Servers choose names; a scrape holds thousands of them. */
export const MAX_NAME = 128

const OVER_HTTP = { 'network.transport': 'tcp', 'network.protocol.name': 'http' }

/** An operation with its labels, of which each has few values. */
interface Labelled {
  readonly operation: Operation
  readonly method: string
  readonly name: string
  readonly errorType: string
  readonly principal: string
  readonly client: string
  /** Values of attributes, by label. */
  readonly attributes: Readonly<Record<string, string>>
}

interface Series {
  readonly duration: HistogramSeries
  readonly own: HistogramSeries
  readonly count: CounterSeries
}

/** Of what clients make up only so much is remembered, and then found anew. */
const MAX_FOUND = 5_000

export class OperationMetrics {
  readonly #bounded: BoundedLabels
  readonly #principals: number
  readonly #attributeLabels: () => readonly string[]
  readonly #server = new Durations<Labelled>(METRICS.serverDuration, serverLabels)
  readonly #client = new Durations<UpstreamOperation>(METRICS.clientDuration, (it) =>
    this.#upstreamLabels(it),
  )

  readonly #own = new Durations<Labelled>(METRICS.gatewayDuration, ownLabels, FINE_BOUNDARIES)
  readonly #session = new Durations<string>(METRICS.sessionDuration, (protocolVersion) => ({
    'mcp.protocol.version': protocolVersion,
    ...OVER_HTTP,
  }))

  readonly #byClient = new Counts<Labelled>(METRICS.clientOperations, clientLabels)
  readonly #transferred = new Counts<'in' | 'out'>(METRICS.transferred, (direction) => ({
    direction,
  }))

  readonly #in = this.#transferred.of('in', 'in')
  readonly #out = this.#transferred.of('out', 'out')
  readonly #found = new TupleCache<Series>(MAX_FOUND)
  readonly #foundUpstream = new TupleCache<HistogramSeries>(MAX_FOUND)

  /** All of them, for the SDK. */
  readonly all = [
    this.#server,
    this.#client,
    this.#own,
    this.#session,
    this.#byClient,
    this.#transferred,
  ]

  /** `attributeLabels` are the attributes with `metric: true`, as they are now. */
  constructor(
    bounded: BoundedLabels,
    principals: number,
    attributeLabels: () => readonly string[],
  ) {
    this.#bounded = bounded
    this.#principals = principals
    this.#attributeLabels = attributeLabels
  }

  record(operation: Operation): void {
    const { duration, own, count } = this.#seriesOf(operation)
    addDuration(duration, operation.durationMs)
    addDuration(own, gatewayMsOf(operation))
    count.value++
    this.#in.value += operation.bytesIn
    this.#out.value += operation.bytesOut
  }

  recordUpstream(operation: UpstreamOperation): void {
    const { target, protocolVersion, method, name, errorType, durationMs } = operation
    const id = idOf(target)
    let series = this.#foundUpstream.get(name, id, method, errorType, protocolVersion)
    if (series === undefined) {
      const key = `${id}\n${method}\n${name}\n${errorType}\n${protocolVersion}`
      series = this.#client.of(key, operation)
      this.#foundUpstream.set(series, name, id, method, errorType, protocolVersion)
    }
    addDuration(series, durationMs)
  }

  /** A session has ended. */
  recordSession({ seed: { protocolVersion, createdAt } }: Session): void {
    // Another replica may have opened it, whose clock may be ahead of ours.
    const lifeMs = Math.max(0, Date.now() - createdAt)
    this.#session.record(protocolVersion, lifeMs, protocolVersion)
  }

  /** Who somebody is, as a label; `undefined` where nobody is one. */
  principalLabel(name: string): string | undefined {
    return this.#principals === 0
      ? undefined
      : this.#bounded.of('principal', name, this.#principals)
  }

  /** Found by what the request has of labels as it came, and else made by what labels may have of it. */
  #seriesOf(operation: Operation): Series {
    const { method, name, isKnownName, target, protocolVersion, outcome, errorType } = operation
    const { principal, client, attributes } = operation
    const wanted = this.#attributeLabels()
    // Most have no labels of attributes; how a request ended is one word of few.
    const extra = wanted.map((label) => String(attributes[label])).join('\n')
    const what = isKnownName ? name : '\n'
    const end = errorType === '' ? outcome : `${outcome} ${errorType}`
    const from = extra === '' ? client.name : `${client.name}\n${extra}`
    const who = principal.name
    const known = this.#found.get(what, method, end, target, who, protocolVersion, from)
    if (known !== undefined) return known
    const labelled = this.#labelled(operation)
    let key = `${labelled.method}\n${labelled.name}\n${labelled.errorType}\n${target}\n`
    key += `${labelled.principal}\n${protocolVersion}`
    for (const [label, value] of Object.entries(labelled.attributes)) key += `\n${label}=${value}`
    const byClient = `${labelled.client}\n${labelled.method}\n${labelled.name}\n${outcome}`
    const series = {
      duration: this.#server.of(key, labelled),
      own: this.#own.of(`${labelled.method}\n${labelled.name}\n${target}`, labelled),
      count: this.#byClient.of(byClient, labelled),
    }
    return this.#found.set(series, what, method, end, target, who, protocolVersion, from)
  }

  #labelled(operation: Operation): Labelled {
    const { method, name, isKnownName, errorType, principal, client, attributes } = operation
    const labels = this.#attributeLabels()
    return {
      operation,
      method: METHODS.has(method) ? method : OTHER,
      // There are as many names of tools and prompts as catalogs have; of resources there is no end.
      name: nameLabelOf(method) === undefined ? '' : isKnownName ? name.slice(0, MAX_NAME) : OTHER,
      errorType: errorType === '' ? '' : this.#bounded.of('error.type', errorType),
      principal: this.principalLabel(principal.name) ?? '',
      client: this.#bounded.of('client', client.name),
      attributes: labels.length === 0 ? NO_LABELS : this.attributeLabels(attributes, labels),
    }
  }

  attributeLabels(
    attributes: Operation['attributes'],
    labels: readonly string[],
  ): Readonly<Record<string, string>> {
    const chosen: Record<string, string> = {}
    for (const label of labels) {
      const value = attributes[label]
      if (value === undefined) continue
      chosen[`attribute_${label}`] = this.#bounded.of(`attribute ${label}`, value)
    }
    return chosen
  }

  #upstreamLabels(operation: UpstreamOperation): Attributes {
    const { target, protocolVersion, method, name } = operation
    const errorType =
      operation.errorType === '' ? '' : this.#bounded.of('error.type', operation.errorType)
    return {
      ...labelsOf(method, name.slice(0, MAX_NAME), errorType),
      'mcp.protocol.version': protocolVersion,
      'mcp_junction.target': target.name,
      ...(target.variant === undefined ? {} : { 'mcp_junction.variant': target.variant }),
      ...networkOf(target),
    }
  }
}

const NO_LABELS: Readonly<Record<string, string>> = {}

function serverLabels({ operation, method, name, errorType, principal, attributes }: Labelled) {
  const { target, protocolVersion } = operation
  return {
    ...labelsOf(method, name, errorType),
    'mcp.protocol.version': protocolVersion,
    ...OVER_HTTP,
    ...(target === '' ? {} : { 'mcp_junction.target': target }),
    ...(principal === '' ? {} : { 'mcp_junction.principal': principal }),
    ...attributes,
  }
}

function ownLabels({ operation: { target }, method, name }: Labelled): Attributes {
  const label = nameLabelOf(method)
  return {
    'mcp.method.name': method,
    ...(label === undefined || name === '' ? {} : { [label]: name }),
    ...(target === '' ? {} : { 'mcp_junction.target': target }),
  }
}

function clientLabels({ operation, method, name, client }: Labelled): Attributes {
  const label = nameLabelOf(method)
  return {
    client,
    'mcp.method.name': method,
    ...(label === undefined || name === '' ? {} : { [label]: name }),
    outcome: operation.outcome,
  }
}

function labelsOf(method: string, name: string, errorType: string): Attributes {
  const label = nameLabelOf(method)
  return {
    'mcp.method.name': method,
    ...(label === undefined || name === '' ? {} : { [label]: name }),
    ...(method === 'tools/call' ? { 'gen_ai.operation.name': 'execute_tool' } : {}),
    ...(errorType === '' ? {} : { 'error.type': errorType }),
    ...(isCode(errorType) ? { 'rpc.response.status_code': errorType } : {}),
  }
}

function nameLabelOf(method: string): string | undefined {
  if (method === 'tools/call') return 'gen_ai.tool.name'
  return method === 'prompts/get' ? 'gen_ai.prompt.name' : undefined
}
