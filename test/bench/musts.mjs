// What the gateway has to reach, and whether it does. Each is a ratio of figures of one run.
import { BARE, DIRECT, GATEWAY, GUARDED } from './contenders.mjs'

const MIB = 1024 * 1024
const smallCalls = { form: 'json', size: 100, connections: 32 }

/** How often the gateway does in a second of CPU what another does once. */
function byCpu(rows, whose, other) {
  return find(rows, other)?.cpuMicros / find(rows, whose)?.cpuMicros
}

const rate = (rows, whose, other) =>
  find(rows, whose)?.callsPerSecond / find(rows, other)?.callsPerSecond

/**
 * `atLeast` or `atMost` is the must, `parts` what is measured for it. A figure is `undefined` or not a number where it was
 * not measured.
 */
export const MUSTS = [
  ...['legacy', 'modern'].map((era) => ({
    key: `small-${era}`,
    parts: ['calls'],
    work: `tools/call, 100 B, 32 connections, ${era}`,
    relation: 'of the bare proxy’s calls',
    atLeast: 0.75,
    aim: 0.95,
    cpu: ({ calls }) =>
      byCpu(
        calls,
        { era, ...smallCalls, contender: GATEWAY },
        { era, ...smallCalls, contender: BARE },
      ),
    wall: ({ calls }) =>
      rate(
        calls,
        { era, ...smallCalls, contender: GATEWAY },
        { era, ...smallCalls, contender: BARE },
      ),
  })),
  ...['legacy', 'modern'].map((era) => ({
    key: `rules-${era}`,
    parts: ['calls'],
    work: `the same with JWT and 50 rules, ${era}`,
    relation: 'of the calls without',
    atLeast: 0.9,
    aim: 0.97,
    cpu: ({ calls }) =>
      byCpu(
        calls,
        { era, ...smallCalls, contender: GUARDED },
        { era, ...smallCalls, contender: GATEWAY },
      ),
    wall: ({ calls }) =>
      rate(
        calls,
        { era, ...smallCalls, contender: GUARDED },
        { era, ...smallCalls, contender: GATEWAY },
      ),
  })),
  {
    key: 'telemetry',
    parts: ['telemetry'],
    work: 'the same with metrics, access log and 1 % of traces, legacy',
    relation: 'of the calls without telemetry',
    atLeast: 0.9,
    cpu: ({ telemetry }) => telemetry?.cpu[1],
    wall: ({ telemetry }) => telemetry?.wall[1],
  },
  {
    key: 'latency',
    parts: ['calls'],
    work: 'added latency, 1 connection, p50',
    relation: '× the bare proxy’s',
    atMost: 1.5,
    aim: 1.1,
    wall: ({ calls }) => {
      const work = { era: 'legacy', form: 'json', size: 100, connections: 1 }
      const p50 = (contender) => find(calls, { ...work, contender })?.p50
      return (p50(GATEWAY) - p50(DIRECT)) / (p50(BARE) - p50(DIRECT))
    },
  },
  ...['json', 'sse'].map((form) => {
    const work = { era: 'legacy', form, size: MIB, connections: 32 }
    return {
      key: `large-${form}`,
      parts: ['calls'],
      work: `1 MiB result, ${form === 'json' ? 'JSON' : 'SSE'}, 32 connections`,
      relation: 'of the bare proxy’s calls',
      atLeast: 0.8,
      aim: 0.95,
      cpu: ({ calls }) =>
        byCpu(calls, { ...work, contender: GATEWAY }, { ...work, contender: BARE }),
      wall: ({ calls }) =>
        rate(calls, { ...work, contender: GATEWAY }, { ...work, contender: BARE }),
    }
  }),
  ...[10, 100].map((targets) => {
    const work = { era: 'legacy', targets }
    return {
      key: `lists-${targets}`,
      parts: ['lists'],
      work: `tools/list, ${targets} × ${targets}`,
      relation: 'of the bare proxy’s with the same bytes',
      atLeast: 0.8,
      cpu: ({ lists }) =>
        byCpu(lists, { ...work, contender: GATEWAY }, { ...work, contender: BARE }),
      wall: ({ lists }) =>
        rate(lists, { ...work, contender: GATEWAY }, { ...work, contender: BARE }),
    }
  }),
  {
    key: 'sizes',
    parts: ['sizes'],
    work: 'memory while results of 32 MiB pass, 1 connection',
    relation: '× the peak with 1 MiB',
    atMost: 1.25,
    wall: ({ sizes }) => {
      const peak = (size) => find(sizes, { contender: GATEWAY, form: 'json', size })?.peakMib
      return peak(32 * MIB) / peak(MIB)
    },
  },
  {
    key: 'initialize',
    parts: ['initialize'],
    work: 'initialize, 100 backends',
    relation: '× the cost with 1 backend',
    atMost: 1.3,
    aim: 1,
    cpu: ({ initialize }) => byCpu(initialize, { backends: 1 }, { backends: 100 }),
    wall: ({ initialize }) => rate(initialize, { backends: 1 }, { backends: 100 }),
  },
  {
    key: 'upstream',
    parts: ['lists', 'initialize'],
    work: 'requests to servers in tools/list and initialize',
    relation: 'requests',
    atMost: 0,
    wall: ({ lists, initialize }) =>
      [...lists, ...initialize].reduce((sum, { upstream = 0 }) => sum + upstream, 0),
  },
  {
    key: 'lookup',
    parts: ['lookup'],
    work: 'tools/call with 10,000 tools',
    relation: '× the cost with 10 tools',
    // A scan of them would cost many times as much; a larger heap costs the collector something.
    atMost: 1.5,
    aim: 1,
    cpu: ({ lookup }) => byCpu(lookup, { tools: 10 }, { tools: 10_000 }),
    wall: ({ lookup }) => rate(lookup, { tools: 10 }, { tools: 10_000 }),
  },
  {
    key: 'sessions',
    parts: ['sessions'],
    work: '10,000 idle sessions with GET streams',
    relation: 'KiB each, resident',
    atMost: 20,
    aim: 8,
    wall: ({ sessions }) => sessions?.[0]?.residentKib,
  },
  {
    key: 'idle-cpu',
    parts: ['idleCpu'],
    work: 'idle CPU, 100 targets and 1,000 sessions',
    relation: 'of a core',
    atMost: 0.01,
    wall: ({ idleCpu }) => idleCpu?.[0]?.coreShare,
  },
  {
    key: 'workers',
    parts: ['workers'],
    work: '`workers: 2` on two cores',
    relation: '× the calls of one, computed',
    atLeast: 1.6,
    aim: 1.9,
    cpu: ({ workers }) => workers?.[0]?.times,
  },
]

/** The musts of which there are figures, with their verdicts. By CPU where that can be told, else by the clock. */
export function verdicts(results) {
  return MUSTS.map((must) => {
    const figures = { cpu: figure(must.cpu, results), wall: figure(must.wall, results) }
    const decisive = figures.cpu ?? figures.wall
    const isReached =
      decisive >= (must.atLeast ?? -Infinity) && decisive <= (must.atMost ?? Infinity)
    return { ...must, ...figures, decisive, isReached }
  }).filter(({ decisive }) => decisive !== undefined)
}

function figure(compute, results) {
  try {
    const value = compute?.(results)
    return Number.isFinite(value) ? value : undefined
  } catch {
    return undefined
  }
}

function find(rows, wanted) {
  return rows?.find((row) => Object.entries(wanted).every(([key, value]) => row[key] === value))
}
