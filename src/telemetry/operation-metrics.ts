/** What metrics say of requests: how many, how long, how often wrong, by what, to whom and from whom. */
import type { Attributes } from '@opentelemetry/api'
import { idOf } from '../../backends/index.js'
import type { ShownAttributes } from '../attributes/attributes.js'
import type { Session } from '../session/session.js'
import type { CounterSeries, HistogramSeries } from './aggregates.js'
import { addDuration, Counts, Durations, FINE_BOUNDARIES } from './aggregates.js'
import type { BoundedLabels } from './bounded-labels.js'
import { OTHER } from './bounded-labels.js'
import { METRICS } from './metric-descriptions.js'
import type { OperationKind, UpstreamKind } from './operation-kind.js'
import { Facet } from './operation-kind.js'
import type { Operation } from './operations.js'
import { gatewayMsOf } from './operations.js'
import { isServedMethod } from './served-methods.js'
import { isCode, networkOf } from './span-attributes.js'
import type { UpstreamOperation } from './upstream-operation.js'

/** Servers choose names; a scrape holds thousands of them. */
export const MAX_NAME = 128

const OVER_HTTP = { 'network.transport': 'tcp', 'network.protocol.name': 'http' }

/** Operations of one kind with their labels, of which each has few values. */
interface Labelled {
  readonly kind: OperationKind
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

/** The series of one kind of operation: one, or one for each of the values of attributes that are labels. */
interface Found {
  only: Series | undefined
  readonly byAttributes: Map<string, Series>
}

/** Of what clients make up only so much is remembered, and then found anew. */
const MAX_BY_ATTRIBUTES = 100

export class OperationMetrics {
  readonly #bounded: BoundedLabels
  readonly #principals: number
  readonly #attributeLabels: () => readonly string[]
  readonly #server = new Durations<Labelled>(METRICS.serverDuration, serverLabels)
  readonly #client = new Durations<UpstreamKind>(METRICS.clientDuration, (it) =>
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
  readonly #found = new Facet<Found>(() => ({ only: undefined, byAttributes: new Map() }))
  readonly #foundUpstream = new Facet<HistogramSeries, UpstreamKind>((kind) => {
    const { target, protocolVersion, method, name, errorType } = kind
    const key = `${idOf(target)}\n${method}\n${name}\n${errorType}\n${protocolVersion}`
    return this.#client.of(key, kind)
  })

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
    const { upstream } = operation
    if (upstream !== undefined) this.recordUpstream(upstream)
    const { duration, own, count } = this.#seriesOf(operation)
    addDuration(duration, operation.durationMs)
    addDuration(own, gatewayMsOf(operation))
    count.value++
    this.#in.value += operation.bytesIn
    this.#out.value += operation.bytesOut
  }

  recordUpstream({ kind, durationMs }: UpstreamOperation): void {
    addDuration(this.#foundUpstream.of(kind), durationMs)
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

  #seriesOf({ kind, attributes }: Operation): Series {
    const found = this.#found.of(kind)
    const wanted = this.#attributeLabels()
    if (wanted.length === 0) return (found.only ??= this.#series(kind, NO_LABELS))
    const { byAttributes } = found
    const extra = wanted.map((label) => `${label}=${attributes[label]}`).join('\n')
    const known = byAttributes.get(extra)
    if (known !== undefined) return known
    if (byAttributes.size >= MAX_BY_ATTRIBUTES) byAttributes.clear()
    const series = this.#series(kind, this.attributeLabels(attributes, wanted))
    byAttributes.set(extra, series)
    return series
  }

  #series(kind: OperationKind, attributes: Labelled['attributes']): Series {
    const labelled = this.#labelled(kind, attributes)
    const { method, name, errorType, principal, client } = labelled
    const { target, protocolVersion, outcome } = kind
    let key = `${method}\n${name}\n${errorType}\n${target}\n${principal}\n${protocolVersion}`
    for (const [label, value] of Object.entries(attributes)) key += `\n${label}=${value}`
    return {
      duration: this.#server.of(key, labelled),
      own: this.#own.of(`${method}\n${name}\n${target}`, labelled),
      count: this.#byClient.of(`${client}\n${method}\n${name}\n${outcome}`, labelled),
    }
  }

  #labelled(kind: OperationKind, attributes: Labelled['attributes']): Labelled {
    const { method, name, isKnownName, errorType, principal, client } = kind
    return {
      kind,
      method: isServedMethod(method) ? method : OTHER,
      // There are as many names of tools and prompts as catalogs have; of resources there is no end.
      name: nameLabelOf(method) === undefined ? '' : isKnownName ? name.slice(0, MAX_NAME) : OTHER,
      errorType: errorType === '' ? '' : this.#bounded.of('error.type', errorType),
      principal: this.principalLabel(principal.name) ?? '',
      client: this.#bounded.of('client', client.name),
      attributes,
    }
  }

  attributeLabels(
    attributes: ShownAttributes,
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

  #upstreamLabels(kind: UpstreamKind): Attributes {
    const { target, protocolVersion, method, name } = kind
    const errorType = kind.errorType === '' ? '' : this.#bounded.of('error.type', kind.errorType)
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

function serverLabels({ kind, method, name, errorType, principal, attributes }: Labelled) {
  const { target, protocolVersion } = kind
  return {
    ...labelsOf(method, name, errorType),
    'mcp.protocol.version': protocolVersion,
    ...OVER_HTTP,
    ...(target === '' ? {} : { 'mcp_junction.target': target }),
    ...(principal === '' ? {} : { 'mcp_junction.principal': principal }),
    ...attributes,
  }
}

function ownLabels({ kind: { target }, method, name }: Labelled): Attributes {
  const label = nameLabelOf(method)
  return {
    'mcp.method.name': method,
    ...(label === undefined || name === '' ? {} : { [label]: name }),
    ...(target === '' ? {} : { 'mcp_junction.target': target }),
  }
}

function clientLabels({ kind, method, name, client }: Labelled): Attributes {
  const label = nameLabelOf(method)
  return {
    client,
    'mcp.method.name': method,
    ...(label === undefined || name === '' ? {} : { [label]: name }),
    outcome: kind.outcome,
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
