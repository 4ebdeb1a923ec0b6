// What telemetry costs: nobody listens, against metrics, the access log, and traces of one call in a hundred.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { startGateway } from './gateway.mjs'
import { load } from './load.mjs'
import { cpuSeconds } from './machine.mjs'
import { requestBytes } from './requests.mjs'

const CONNECTIONS = 32
/** Equal processes differ by a tenth from each other, as long as they run: by how their code and tables happen to lie. */
const COUPLES = 4
/** Of two that are near each other; what else the machine does comes and goes within seconds. */
const PAIRS = 48
const PAIR_SECONDS = 0.5
/** What is done for one call in a hundred runs as it was read for some ten seconds, before it is worth compiling. */
const WARM_ROUNDS = 5
const WARM_SECONDS = 3
const SHARES = [0.25, 0.5, 0.75]

export async function compareTelemetry(backend) {
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200).end())
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const endpoint = `http://127.0.0.1:${collector.address().port}`
  const silent = { admin: false, telemetry: { accessLog: false } }
  const telling = {
    telemetry: { accessLog: true, otlp: { endpoint }, traces: { sampler: 0.01 } },
  }
  const couples = []
  for (let count = 0; count < COUPLES; count++) {
    couples.push([await contender(backend, silent), await contender(backend, telling)])
  }
  for (let round = 0; round < WARM_ROUNDS; round++) {
    for (const it of couples.flat()) await load(it.port, it.requests, WARM_SECONDS)
  }
  const pairs = []
  for (let pair = 0; pair < PAIRS; pair++) {
    // Each with each of the others.
    const off = couples[pair % COUPLES][0]
    const on = couples[Math.floor(pair / COUPLES) % COUPLES][1]
    const samples = new Map()
    // Neither is always the first.
    for (const it of pair % 2 === 0 ? [off, on] : [on, off]) samples.set(it, await sample(it))
    const [without, told] = [samples.get(off), samples.get(on)]
    pairs.push({ wall: told.rate / without.rate, cpu: without.cpu / told.cpu })
  }
  for (const it of couples.flat()) await it.stop()
  collector.close()
  const quartiles = (field) => {
    const sorted = pairs.map((it) => it[field]).toSorted((one, other) => one - other)
    return SHARES.map((share) => sorted[Math.floor(share * (PAIRS - 1))])
  }
  return { pairs: PAIRS, wall: quartiles('wall'), cpu: quartiles('cpu') }
}

export function telemetryText({ pairs, wall, cpu }) {
  const percent = (share) => `${(100 * share).toFixed(1)} %`
  const line = ([low, middle, high]) =>
    `${percent(middle)} (quartiles ${percent(low)} and ${percent(high)})`
  return `with telemetry, of the calls without, in the median of ${pairs} pairs:\n  by CPU ${line(cpu)}\n  by the clock ${line(wall)}`
}

async function contender(backend, settings) {
  const targets = [{ name: 'bench', mcp: { url: backend.url('/legacy/calls/0') } }]
  const gateway = await startGateway({ ...settings, targets })
  const place = { port: gateway.port, path: '/mcp', headers: await gateway.session() }
  const params = { name: 'bench__json_100', arguments: { message: 'hello' } }
  const requests = Array.from({ length: CONNECTIONS }, (_, id) => ({
    id,
    bytes: requestBytes(place, { era: 'legacy', id, method: 'tools/call', params }),
  }))
  return { ...gateway, requests }
}

async function sample(it) {
  const before = cpuSeconds(it.pids())
  const { calls, callsPerSecond } = await load(it.port, it.requests, PAIR_SECONDS)
  const cpu = (cpuSeconds(it.pids()) - before) / calls
  it.emptyLog()
  return { rate: callsPerSecond, cpu }
}
