/** An OpenTelemetry collector: takes traces over OTLP, as JSON or as protobuf, and keeps their spans. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { millisOf, protobufSpans } from './otlp-protobuf.js'
import { waitUntil } from './wait-until.js'

export interface CollectedSpan {
  readonly traceId: string
  readonly spanId: string
  /** '' for the first of a trace. */
  readonly parentSpanId: string
  readonly name: string
  /** 2 for SERVER, 3 for CLIENT. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
  /** Ids of the spans that it is linked to. */
  readonly links: readonly string[]
  /** '' where there is none. */
  readonly tracestate: string
  /** Milliseconds since the epoch, with fractions. */
  readonly startedAt: number
  readonly endedAt: number
  /** 2 for an error. */
  readonly status: number
}

export class Collector {
  readonly spans: CollectedSpan[] = []
  /** Everything that came, as text. */
  readonly bodies: string[] = []
  readonly contentTypes = new Set<string>()
  readonly #http = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const type = request.headers['content-type'] ?? ''
      this.contentTypes.add(type)
      this.bodies.push(body.toString('latin1'))
      if (request.url === '/v1/traces') {
        this.spans.push(...(type === 'application/json' ? jsonSpans(body) : protobufSpans(body)))
      }
      response.writeHead(200, { 'content-type': type }).end(type === 'application/json' ? '{}' : '')
    })
  })

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve))
    return this
  }

  /** The span of this name and kind, once it is there. */
  async span(name: string, kind: 'SERVER' | 'CLIENT'): Promise<CollectedSpan> {
    const find = () => this.spans.find((it) => it.name === name && it.kind === KINDS[kind])
    await waitUntil(() => find() !== undefined, `the ${kind} span ${name}`)
    return find() as CollectedSpan
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }
}

export function startCollector(): Promise<Collector> {
  return new Collector().start()
}

const KINDS = { SERVER: 2, CLIENT: 3 } as const

interface JsonValue {
  readonly stringValue?: string
  readonly intValue?: number | string
  readonly doubleValue?: number
  readonly boolValue?: boolean
}

interface JsonSpan extends Pick<CollectedSpan, 'traceId' | 'spanId' | 'name' | 'kind'> {
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: JsonValue }[]
  readonly links: readonly { readonly spanId: string }[]
  readonly status: { readonly code?: number }
}

interface JsonTraces {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[]
  }[]
}

function jsonSpans(body: Buffer): readonly CollectedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as JsonTraces
  const spans = resourceSpans.flatMap((it) => it.scopeSpans.flatMap((scope) => scope.spans))
  return spans.map(
    ({ attributes, links, status, parentSpanId = '', traceState = '', ...span }) => ({
      ...span,
      parentSpanId,
      tracestate: traceState,
      startedAt: millisOf(BigInt(span.startTimeUnixNano)),
      endedAt: millisOf(BigInt(span.endTimeUnixNano)),
      links: links.map((it) => it.spanId),
      status: status.code ?? 0,
      attributes: Object.fromEntries(
        attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]),
      ),
    }),
  )
}
