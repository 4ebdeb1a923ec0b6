// What two workers could serve on two cores while the load comes from elsewhere. The machine of the bench has no cores to
// spare, so it is computed: from what a call costs each process, and from how the calls are spread.
import { GATEWAY, startContenders, WORKERS } from './contenders.mjs'
import { load } from './load.mjs'
import { cpuSeconds } from './machine.mjs'
import { good, warmUp } from './measure.mjs'
import { requestBytes } from './requests.mjs'

const CONNECTIONS = 32
const MICROS = 1e6
const CORES = 2

export async function measureWorkers(backend, { rounds, seconds }) {
  const contenders = await startContenders([GATEWAY, WORKERS], backend)
  const subjects = await Promise.all(contenders.map(subject))
  for (const it of subjects) await warmUp(it)
  const samples = new Map(subjects.map(({ contender }) => [contender.name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const it of subjects) samples.get(it.contender.name).push(await sample(it, seconds))
  }
  for (const it of contenders) await it.stop()
  const one = good(samples.get(GATEWAY).map(({ total }) => total))
  const pair = samples.get(WORKERS)
  const total = good(pair.map((it) => it.total))
  const busiest = good(pair.map((it) => it.busiest))
  const primary = good(pair.map((it) => it.first))
  // Neither can one process use more than a core, nor can all use more than there are.
  const times = Math.min(one / busiest, (CORES * one) / total)
  return [
    { oneMicros: one, totalMicros: total, busiestMicros: busiest, primaryMicros: primary, times },
  ]
}

async function subject(contender) {
  const place = await contender.place('legacy')
  const params = { name: contender.toolName('legacy', 'json_100'), arguments: { message: 'hello' } }
  const requests = Array.from({ length: CONNECTIONS }, (_, id) => ({
    id,
    bytes: requestBytes(place, { era: 'legacy', id, method: 'tools/call', params }),
  }))
  return { contender, port: contender.port, requests }
}

async function sample({ contender, port, requests }, seconds) {
  const pids = contender.pids()
  const before = pids.map((pid) => cpuSeconds([pid]))
  const { calls } = await load(port, requests, seconds)
  const each = pids.map((pid, index) => ((cpuSeconds([pid]) - before[index]) / calls) * MICROS)
  contender.emptyLog()
  const total = each.reduce((sum, it) => sum + it, 0)
  return { total, busiest: Math.max(...each), first: each[0] }
}
