// One measurement: a load, and what it cost the contender. Contenders take turns, so that what else the machine does concerns
// all alike. It only ever makes things worse, so of many short rounds the good ones tell what a contender can do.
import { load } from './load.mjs'
import { cpuSeconds, forgetPeak, mib, peakKib } from './machine.mjs'

const MICROS = 1e6

/**
 * Each `subject` is `{name, contender, port, requests}`. Returns, by name, figures of the rounds: `callsPerSecond`,
 * `cpuMicros` of the contender per call, latencies in milliseconds, and the most memory.
 */
export async function inTurns(subjects, { rounds, seconds, warmUpSeconds = 0.5 }) {
  const samples = new Map(subjects.map(({ name }) => [name, []]))
  for (const subject of subjects) await load(subject.port, subject.requests, warmUpSeconds)
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      samples.get(subject.name).push(await sample(subject, seconds))
    }
  }
  return new Map([...samples].map(([name, all]) => [name, goodFigures(all)]))
}

async function sample({ contender, port, requests }, seconds) {
  const pids = contender.pids()
  forgetPeak(pids)
  const before = cpuSeconds(pids)
  const { calls, callsPerSecond, p50, p99 } = await load(port, requests, seconds)
  const cpuMicros = ((cpuSeconds(pids) - before) / calls) * MICROS
  contender.emptyLog?.()
  return { callsPerSecond, cpuMicros, p50, p99, peakMib: mib(peakKib(pids)) }
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
