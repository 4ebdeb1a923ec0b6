// One measurement: a load, and what it cost the contender. Contenders take turns, so that what else the machine does concerns
// all alike. It only ever makes things worse, so of many short rounds the good ones tell what a contender can do.
import { load } from './load.mjs'
import { cpuSeconds, forgetPeak, mib, peakKib } from './machine.mjs'

const MICROS = 1e6

/**
 * What each process of a contender has answered before it counts: until then its code is still being compiled. Less for each
 * other work. Calls that take long have enough of it with so many seconds of CPU.
 */
const WARM_UP = { calls: 20_000, seconds: 5 }
const OTHER_WARM_UP = { calls: 5_000, seconds: 2 }
const WARM_UP_SLICE_SECONDS = 0.5
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
  for (const subject of subjects) await warmUp(subject)
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      samples.get(subject.name).push(await sample(subject, seconds))
    }
  }
  return new Map([...samples].map(([name, all]) => [name, goodFigures(all)]))
}

/** On a slow machine this takes longer than on a quick one. */
export async function warmUp({ contender, port, requests }) {
  const { calls, seconds } = warm.has(contender) ? OTHER_WARM_UP : WARM_UP
  warm.add(contender)
  const pids = contender.pids()
  const before = cpuSeconds(pids)
  // Of a contender that cannot be looked into, as for one that stands still, time counts.
  const end = performance.now() + PATIENCE * seconds * 1_000
  for (let answered = 0; answered < calls * pids.length && performance.now() < end;) {
    answered += (await load(port, requests, WARM_UP_SLICE_SECONDS)).calls
    if (cpuSeconds(pids) - before >= seconds * pids.length) break
  }
  contender.emptyLog?.()
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
