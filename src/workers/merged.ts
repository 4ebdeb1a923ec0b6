/** What several workers say of themselves, as one. */
import type { Readiness } from '../http/health.js'

export interface Said<What> {
  readonly worker: number
  readonly what: What
}

/** One exposition of all, each series with its worker's number, each metric described once and in one place. */
export function mergedMetrics(said: readonly Said<string>[]): string {
  const metrics = new Map<string, { readonly comments: Set<string>; readonly series: string[] }>()
  for (const { worker, what } of said) {
    let current = ''
    for (const line of what.split('\n')) {
      if (line === '') continue
      const [, kind = '', name = ''] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? []
      if (name !== '') current = name
      const metric = metrics.get(current) ?? { comments: new Set<string>(), series: [] }
      metrics.set(current, metric)
      if (kind !== '') metric.comments.add(line)
      else if (!line.startsWith('#')) metric.series.push(withWorker(line, worker))
    }
  }
  const all = [...metrics.values()].flatMap(({ comments, series }) => [...comments, ...series])
  return `${all.join('\n')}\n`
}

function withWorker(series: string, worker: number): string {
  const [, name = '', labels, value = ''] = /^([^\s{]+)(?:\{(.*)\})?( .*)$/.exec(series) ?? []
  const others = labels === undefined || labels === '' ? '' : `,${labels}`
  return `${name}{worker="${worker}"${others}}${value}`
}

export interface MergedReadiness {
  readonly ready: boolean
  readonly isStopping?: boolean
  readonly workers: readonly object[]
  readonly targets: readonly object[]
  readonly sources: readonly object[]
}

export interface Crewed {
  /** How many there should be. */
  readonly wanted: number
  /** Those that have begun and live, by their numbers. */
  readonly serving: readonly number[]
  readonly isStopping: boolean
}

/** Where workers differ, the one that is worse off is shown, with its number. */
export function mergedReadiness(
  said: readonly Said<Readiness>[],
  { wanted, serving, isStopping }: Crewed,
): MergedReadiness {
  const isReady = said.length === wanted && said.every(({ what }) => what.ready)
  const stopping = isStopping || said.some(({ what }) => what.isStopping === true)
  const numbers = Array.from({ length: wanted }, (_, index) => index + 1)
  return {
    ready: isReady && !stopping,
    ...(stopping ? { isStopping: true } : {}),
    workers: numbers.map((worker) => {
      const own = said.find((it) => it.worker === worker)
      return own === undefined
        ? { worker, ready: false, reason: serving.includes(worker) ? 'no answer' : 'not started' }
        : { worker, ready: own.what.ready }
    }),
    targets: worst(
      said,
      ({ targets }) => targets,
      ({ target, variant = '' }) => `${target}@${variant}`,
    ),
    sources: worst(
      said,
      ({ sources }) => sources,
      ({ source }) => source,
    ),
  }
}

/** Of each item, the worker's that is worst off, with its number where it is not well. */
export function worst<What, Item extends { readonly ready: boolean; readonly circuit?: unknown }>(
  said: readonly Said<What>[],
  itemsOf: (what: What) => readonly Item[],
  keyOf: (item: Item) => string,
): readonly (Item & { readonly worker?: number })[] {
  const found = new Map<string, { readonly item: Item; readonly worker: number }>()
  for (const { worker, what } of said) {
    for (const item of itemsOf(what)) {
      const key = keyOf(item)
      const before = found.get(key)
      if (before === undefined || badness(item) > badness(before.item)) {
        found.set(key, { item, worker })
      }
    }
  }
  return [...found.values()].map(({ item, worker }) =>
    badness(item) === 0 ? item : { ...item, worker },
  )
}

function badness({ ready, circuit }: { readonly ready: boolean; readonly circuit?: unknown }) {
  return (ready ? 0 : 2) + (circuit === undefined ? 0 : 1)
}
