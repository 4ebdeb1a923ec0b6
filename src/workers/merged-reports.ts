/**
 * `/api/v1/*` of several workers as one gateway's. What each has for itself is added up or put together; of what all have
 * in common, the one that has been there the longest is believed. Latencies come from histograms that are added up.
 */
import type { TalliedReport, Tallies } from '../admin/traffic.js'
import { historyReport, trafficOf, trafficSummary } from '../admin/traffic.js'
import { sumOf } from '../admin/tally.js'
import type { Tally } from '../admin/tally.js'
import type { AgentRow } from './merged-agents.js'
import { mergedAgents } from './merged-agents.js'
import type { Said } from './merged.js'
import { worst } from './merged.js'

/** As many as one worker keeps. */
const MAX_DENIALS = 500
const MAX_OPERATIONS = 1_000
const MAX_SESSIONS = 500

type Row = Readonly<Record<string, unknown>>

/** What workers have said, the one first that has been there the longest. */
interface Parts {
  readonly said: readonly [Said<Row>, ...Said<Row>[]]
  readonly tallies: readonly Tallies[]
  readonly wanted: number
}

/** Whether a report is of one worker, whichever, or made of what all say. */
export function isMerged(report: string): boolean {
  return Object.hasOwn(MERGES, report)
}

/** Whether histograms are needed for it. */
export function isTallied(report: string): report is TalliedReport {
  return report === 'status' || report === 'history' || report === 'targets'
}

export function mergedReport(report: string, parts: Parts): object {
  return MERGES[report]?.(parts) ?? parts.said[0].what
}

const MERGES: Readonly<Record<string, (parts: Parts) => object>> = {
  status: ({ said, tallies, wanted }) => {
    const [{ what: first }] = said
    const states = said.map(({ what }) => what['targets'] as TargetCounts)
    const down = worst(
      said,
      (what) => (what['targets'] as TargetCounts).down,
      (it) => it.target,
    )
    const total = Math.max(...states.map((it) => it.total))
    const of = (key: 'legacy' | 'modern') =>
      sum(said.map(({ what }) => (what['sessions'] as Record<string, number>)[key] ?? 0))
    return {
      ...first,
      ready: said.length === wanted && said.every(({ what }) => what['ready'] === true),
      targets: { total, up: total - down.length, down },
      sources: sourcesOf(said),
      sessions: { legacy: of('legacy'), modern: of('modern') },
      denials: Math.min(MAX_DENIALS, sum(said.map(({ what }) => Number(what['denials'])))),
      traffic: trafficSummary({
        lastMinute: added(tallies.map((it) => it.status?.lastMinute)),
        lastHour: added(tallies.map((it) => it.status?.lastHour)),
      }),
    }
  },

  history: ({ tallies }) => {
    const [slots = []] = tallies.map((it) => it.history)
    return historyReport(
      slots.map(({ at }, index) => ({
        at,
        tally: added(tallies.map((it) => it.history?.[index]?.tally)),
      })),
    )
  },

  targets: ({ said, tallies }) => {
    const rows = worst(
      said,
      (what) => (what['targets'] as TargetRow[]).map((it) => ({ ...it, ready: isWell(it) })),
      (it) => it.name,
    )
    const problems = said.flatMap(({ what }) => what['problems'] as Row[])
    return {
      ...said[0].what,
      targets: rows.map((row) => ({
        ...row,
        ready: undefined,
        ...targetTraffic(row.name, tallies),
      })),
      sources: sourcesOf(said),
      problems: [...new Map(problems.map((it) => [JSON.stringify(it), it])).values()],
    }
  },

  sessions: ({ said }) => {
    const merged = new Map<string, SessionRow>()
    for (const row of said.flatMap(({ what }) => what['sessions'] as SessionRow[])) {
      const known = merged.get(row.session)
      merged.set(
        row.session,
        known === undefined
          ? row
          : {
              ...known,
              idleMs: Math.min(known.idleMs, row.idleMs),
              running: known.running + row.running,
              isHeard: known.isHeard || row.isHeard,
            },
      )
    }
    const counts = said.map(({ what }) => Number(what['count']))
    const shown = sum(said.map(({ what }) => (what['sessions'] as Row[]).length))
    return {
      // One that several workers serve is one; of those that are not shown, nobody knows.
      count: sum(counts) - shown + merged.size,
      modernCallers: sum(said.map(({ what }) => Number(what['modernCallers']))),
      sessions: [...merged.values()].slice(0, MAX_SESSIONS),
    }
  },

  denials: ({ said }) => ({
    denials: newest(said, 'denials', (it) => Date.parse(String(it['at'])), MAX_DENIALS),
  }),

  operations: ({ said }) => ({
    operations: newest(said, 'operations', endOf, MAX_OPERATIONS),
  }),

  agents: ({ said }) => ({
    ...said[0].what,
    agents: mergedAgents(
      said.flatMap(({ what }) => what['agents'] as AgentRow[]),
      Number(said[0].what['kept']),
    ),
  }),

  // Each reads the same lists and configuration.
  catalog: ({ said }) => said[0].what,
  config: ({ said }) => said[0].what,
}

interface TargetCounts {
  readonly total: number
  readonly down: readonly { readonly target: string; readonly ready: boolean }[]
}

interface TargetRow extends Row {
  readonly name: string
  readonly circuit?: unknown
}

interface SessionRow {
  readonly session: string
  readonly idleMs: number
  readonly running: number
  readonly isHeard: boolean
}

function isWell(row: TargetRow): boolean {
  return row['state'] === 'ready' && row['reason'] === undefined
}

function targetTraffic(name: string, tallies: readonly Tallies[]): object {
  const own = tallies.flatMap((it) => it.targets?.find((one) => one.name === name) ?? [])
  const [first, ...others] = own.map((it) => it.lastHour)
  if (first === undefined) return {}
  const errors = own.flatMap((it) => it.lastError ?? [])
  const lastError = errors.toSorted((one, other) => (one.at < other.at ? 1 : -1))[0]
  return { traffic: trafficOf({ name, lastHour: sumOf([first, ...others]), lastError }) }
}

function sourcesOf(said: readonly Said<Row>[]): readonly object[] {
  return worst(
    said,
    (what) => what['sources'] as { readonly source: string; readonly ready: boolean }[],
    (it) => it.source,
  )
}

/** Rows of all, with the worker of each. */
function newest(
  said: readonly Said<Row>[],
  member: string,
  timeOf: (row: Row) => number,
  most: number,
): readonly object[] {
  return said
    .flatMap(({ worker, what }) => (what[member] as Row[]).map((it) => ({ ...it, worker })))
    .toSorted((one, other) => timeOf(other) - timeOf(one))
    .slice(0, most)
}

function added(tallies: readonly (Tally | undefined)[]): Tally {
  const [first, ...others] = tallies.filter((it) => it !== undefined)
  if (first === undefined) throw new TypeError('somebody has counted')
  return sumOf([first, ...others])
}

/** Of an operation. */
function endOf({ at, durationMs }: Row): number {
  return Number(at) + Number(durationMs)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, it) => all + it, 0)
}
