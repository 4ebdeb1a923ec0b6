// One measurement: a load, and what it cost the contender. Contenders take turns, so that what else the machine does concerns
// all alike. It only ever makes things worse, so of many short rounds the good ones tell what a contender can do.
import { load } from './load.mjs'
import { cpuSeconds, forgetPeak, mib, peakKib } from './machine.mjs'

const MICROS = 1e6

/** CPU that a contender has used before it counts: until then its code is still being compiled. Less for each other work. */
const WARM_UP_SECONDS = 1
const SECOND_WARM_UP_SECONDS = 0.3
const warm = new WeakSet()
/** On a busy machine a contender gets its share so much later, or never. */
const PATIENCE = 5
/** Of the CPU that is wanted. */
const ENOUGH = 0.7

/**
 * Each `subject` is `{name, contender, port, requests}`; a round goes on until the contender has used `seconds` of CPU. Returns, by
 * name, figures of the rounds: `callsPerSecond`, `cpuMicros` of the contender per call, latencies in milliseconds, and the
 * most memory.
 */
export async function inTurns(subjects, { rounds, seconds }) {
  const samples = new Map(subjects.map(({ name }) => [name, []]))
  for (const subject of subjects) {
    const isWarm = warm.has(subject.contender)
    await sample(subject, isWarm ? SECOND_WARM_UP_SECONDS : WARM_UP_SECONDS)
    warm.add(subject.contender)
  }
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      samples.get(subject.name).push(await sample(subject, seconds))
    }
  }
  return new Map([...samples].map(([name, all]) => [name, goodFigures(all)]))
}

/** Loads in slices, since what a contender has used is only known between them. */
async function sample({ contender, port, requests }, seconds) {
  const pids = contender.pids()
  forgetPeak(pids)
  const before = cpuSeconds(pids)
  const slices = []
  let used = 0
  for (let slice = 0; slice === 0 || (used < seconds * ENOUGH && slice < PATIENCE); slice++) {
    slices.push(await load(port, requests, seconds))
    used = cpuSeconds(pids) - before
  }
  contender.emptyLog?.()
  const calls = slices.reduce((sum, it) => sum + it.calls, 0)
  return {
    ...goodFigures(slices.map((it) => ({ ...it, cpuMicros: 0, peakMib: 0 }))),
    cpuMicros: (used / calls) * MICROS,
    peakMib: mib(peakKib(pids)),
  }
}

function goodFigures(samples) {
  const figures = (field) => samples.map((it) => it[field])
  return {
    callsPerSecond: -good(figures('callsPerSecond').map((it) => -it)),
    cpuMicros: good(figures('cpuMicros')),
    p50: good(figures('p50')),
    p99: good(figures('p99')),
    peakMib: Math.max(...figures('peakMib')),
  }
}

/** Of figures that are better the smaller they are, the first quartile: the very best may be luck. */
export function good(figures) {
  const sorted = figures.toSorted((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) / 4)]
}
