/**
 * Histograms and counters of what happens with every request. Those of the SDK sort and print all labels at each
 * measurement, which costs more than the rest of what is observed of a request (`npm run bench -- --telemetry`); these are
 * found by a key and handed to the SDK when it collects.
 */
import type { Attributes, HrTime } from '@opentelemetry/api'
import { ValueType } from '@opentelemetry/api'
import { emptyResource } from '@opentelemetry/resources'
import type {
  CollectionResult,
  DataPoint,
  Histogram,
  MetricData,
  MetricProducer,
} from '@opentelemetry/sdk-metrics'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import { VERSION } from '../version.js'
import type { MetricDescription } from './metric-descriptions.js'

/** As the semantic conventions for MCP have them, in seconds. */
const BOUNDARIES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]
/** Of what takes a millisecond where all is well. */
export const FINE_BOUNDARIES = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
]
/** Combinations of labels that a metric has at most; what else comes is counted together. */
const MAX_SERIES = 5_000
const OVERFLOW: Attributes = { 'otel.metric.overflow': true }

const startTime = hrTime()

export interface HistogramSeries {
  readonly attributes: Attributes
  readonly boundaries: readonly number[]
  readonly counts: number[]
  sum: number
  count: number
}

export interface CounterSeries {
  readonly attributes: Attributes
  value: number
}

/** What is measured, found by a key that is the same where all labels are. */
abstract class Aggregate<Source, Series> {
  readonly #description: MetricDescription
  readonly #attributesOf: (source: Source) => Attributes
  readonly #series = new Map<string, Series>()
  #overflow: Series | undefined

  constructor(description: MetricDescription, attributesOf: (source: Source) => Attributes) {
    this.#description = description
    this.#attributesOf = attributesOf
  }

  abstract collect(): MetricData

  protected abstract begin(attributes: Attributes): Series

  protected get descriptor(): MetricData['descriptor'] {
    const { name, description, unit } = this.#description
    return { name, description, unit, valueType: ValueType.DOUBLE }
  }

  protected get all(): readonly Series[] {
    const series = [...this.#series.values()]
    return this.#overflow === undefined ? series : [...series, this.#overflow]
  }

  /** The series of these labels; it may be kept, as series stay. */
  of(key: string, source: Source): Series {
    const known = this.#series.get(key)
    if (known !== undefined) return known
    if (this.#series.size >= MAX_SERIES) return (this.#overflow ??= this.begin(OVERFLOW))
    const series = this.begin(this.#attributesOf(source))
    this.#series.set(key, series)
    return series
  }
}

/** Adds one to a histogram. */
export function addDuration(series: HistogramSeries, milliseconds: number): void {
  const { boundaries } = series
  const seconds = milliseconds / 1_000
  let bucket = 0
  while (bucket < boundaries.length && seconds > (boundaries[bucket] ?? 0)) bucket++
  series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
  series.sum += seconds
  series.count++
}

export class Durations<Source> extends Aggregate<Source, HistogramSeries> {
  readonly #boundaries: readonly number[]

  constructor(
    description: MetricDescription,
    attributesOf: (source: Source) => Attributes,
    boundaries: readonly number[] = BOUNDARIES,
  ) {
    super(description, attributesOf)
    this.#boundaries = boundaries
  }

  record(key: string, milliseconds: number, source: Source): void {
    addDuration(this.of(key, source), milliseconds)
  }

  collect(): MetricData {
    const endTime = hrTime()
    return {
      descriptor: this.descriptor,
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: this.all.map(({ attributes, counts, sum, count }): DataPoint<Histogram> => {
        const buckets = { boundaries: [...this.#boundaries], counts: [...counts] }
        return { startTime, endTime, attributes, value: { buckets, sum, count } }
      }),
    }
  }

  protected begin(attributes: Attributes): HistogramSeries {
    return {
      attributes,
      boundaries: this.#boundaries,
      counts: Array.from({ length: this.#boundaries.length + 1 }, () => 0),
      sum: 0,
      count: 0,
    }
  }
}

export class Counts<Source> extends Aggregate<Source, CounterSeries> {
  collect(): MetricData {
    const endTime = hrTime()
    return {
      descriptor: this.descriptor,
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints: this.all.map(({ attributes, value }) => ({
        startTime,
        endTime,
        attributes,
        value,
      })),
    }
  }

  protected begin(attributes: Attributes): CounterSeries {
    return { attributes, value: 0 }
  }
}

type Observe = (value: number, attributes: Attributes) => void

/**
 * What is read when it is asked for. Gauges of the SDK go on telling what they once told, so that targets which are gone
 * would be up, or down, for ever.
 */
export class Readings {
  readonly #description: MetricDescription
  readonly #read: (observe: Observe) => void

  constructor(description: MetricDescription, read: (observe: Observe) => void) {
    this.#description = description
    this.#read = read
  }

  collect(): MetricData {
    const { name, description, unit, kind } = this.#description
    const endTime = hrTime()
    const dataPoints: DataPoint<number>[] = []
    this.#read((value, attributes) => dataPoints.push({ startTime, endTime, attributes, value }))
    const common = {
      descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPoints,
    }
    return kind === 'counter'
      ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true }
      : { ...common, dataPointType: DataPointType.GAUGE }
  }
}

/** Hands them to a reader of the SDK's. */
export class Aggregates implements MetricProducer {
  readonly #members: readonly { collect(): MetricData }[]

  constructor(members: readonly { collect(): MetricData }[]) {
    this.#members = members
  }

  async collect(): Promise<CollectionResult> {
    const metrics = this.#members.map((it) => it.collect()).filter((it) => it.dataPoints.length > 0)
    const scope = { name: 'mcp-junction', version: VERSION }
    return {
      resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope, metrics }] },
      errors: [],
    }
  }
}

function hrTime(): HrTime {
  const now = Date.now()
  return [Math.floor(now / 1_000), (now % 1_000) * 1e6]
}
