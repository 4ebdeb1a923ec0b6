// What telemetry costs: nobody listens, against metrics, the access log, and traces of one call in a hundred.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { startGateway } from './gateway.mjs'
import { load, openLoad } from './load.mjs'
import { cpuSeconds } from './machine.mjs'
import { requestBytes } from './requests.mjs'

const CONNECTIONS = 32
/** Code and tables of equal processes lie differently. */
const COUPLES = 2
const PAIRS = 24
/** Both of a pair run at the same time: what else the machine does comes and goes within seconds, and meets both. */
const PAIR_SECONDS = 2
const SETTLE_SECONDS = 0.2
/** What is done for one call in a hundred runs as it was read for long, before it is worth compiling. */
const WARM_SECONDS = 60
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
  await Promise.all(couples.flat().map((it) => load(it.port, it.requests, WARM_SECONDS)))
  const pairs = []
  for (let pair = 0; pair < PAIRS; pair++) {
    // Each with each of the others.
    const off = couples[pair % COUPLES][0]
    const on = couples[Math.floor(pair / COUPLES) % COUPLES][1]
    const { without, told } = await atOnce(off, on, Math.floor(pair / COUPLES ** 2) % 2 === 0)
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

/** Whoever is asked first has its answers read first, and needs 2 % less for a call. */
async function atOnce(off, on, isOffFirst) {
  const samples = await Promise.all((isOffFirst ? [off, on] : [on, off]).map(sample))
  const [without, told] = isOffFirst ? samples : samples.toReversed()
  return { without, told }
}

/** Calls per second, and the seconds of CPU of one call. */
async function sample(it) {
  const open = openLoad(it.port, it.requests)
  // On new connections, and after a pause, calls cost more for a while.
  await open.ask(SETTLE_SECONDS)
  const before = cpuSeconds(it.pids())
  const { latencies, took } = await open.ask(PAIR_SECONDS)
  const cpu = cpuSeconds(it.pids()) - before
  open.close()
  it.emptyLog()
  return { rate: latencies.length / took, cpu: cpu / latencies.length }
}
