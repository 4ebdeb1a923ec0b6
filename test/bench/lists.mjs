// tools/list, initialize and look-ups: work that a gateway does from memory, whatever is behind it.
import { BARE, GATEWAY, startContenders } from './contenders.mjs'
import { startGateway } from './gateway.mjs'
import { mib, residentKib } from './machine.mjs'
import { inTurns } from './measure.mjs'
import { introduction, requestBytes } from './requests.mjs'

const CONNECTIONS = 32
const TOOL = { arguments: { message: 'hello' } }

/**
 * `tools/list` of so many targets with so many tools, against the bare proxy and a server that answers the same bytes. `upstream`
 * counts what reached servers meanwhile.
 */
export async function measureLists(backend, { extent, rounds, seconds }) {
  const rows = []
  const [bare] = await startContenders([BARE], backend)
  for (const count of [10, 100]) {
    const gateway = await startGateway({ targets: backend.targets(count, count) })
    const list = await gateway.ask('tools/list')
    if (list.tools.length !== count * count) throw new Error(`${list.tools.length} tools only`)
    for (const era of extent === 'all' ? ['legacy', 'modern'] : ['legacy']) {
      const session = era === 'legacy' ? await gateway.session() : {}
      const place = { port: gateway.port, path: '/mcp', headers: session }
      backend.tell({ canned: JSON.stringify(list) })
      const canned = (port) => ({ port, path: '/canned', headers: {} })
      const request = { era, method: 'tools/list', params: {} }
      const direct = { name: 'direct', pids: backend.pids, port: backend.port }
      const before = (await backend.counts())['tools/list']
      const own = await inTurns([subject(GATEWAY, gateway, place, request)], { rounds, seconds })
      const upstream = (await backend.counts())['tools/list'] - before
      const others = await inTurns(
        [
          subject('direct', direct, canned(backend.port), request),
          subject(BARE, bare, canned(bare.port), request),
        ],
        { rounds, seconds },
      )
      for (const [contender, figures] of [...others, ...own]) {
        const isOurs = contender === GATEWAY
        rows.push({
          era,
          targets: count,
          tools: count,
          contender,
          ...figures,
          ...(isOurs && { upstream }),
        })
      }
    }
    await gateway.stop()
  }
  await bare.stop()
  return rows
}

/** `initialize` with so many backends, and what a gateway with them weighs. */
export async function measureInitialize(backend, { extent, rounds, seconds }) {
  const counts = extent === 'all' ? [1, 10, 100] : [1, 100]
  const subjects = []
  for (const count of counts) {
    const gateway = await startGateway({ targets: backend.targets(count, 10) })
    // Once there is a list, all servers have been heard.
    await gateway.ask('tools/list')
    const place = { port: gateway.port, path: '/mcp', headers: {} }
    const request = { era: 'legacy', method: 'initialize', params: introduction }
    subjects.push(subject(String(count), gateway, place, request))
  }
  const before = await requestsIn(backend)
  const idleMib = subjects.map(({ contender }) => mib(residentKib(contender.pids())))
  const results = await inTurns(subjects, { rounds, seconds })
  const upstream = (await requestsIn(backend)) - before
  for (const { contender } of subjects) await contender.stop()
  return [...results.values()].map((figures, index) => ({
    backends: counts[index],
    contender: GATEWAY,
    ...figures,
    idleMib: idleMib[index],
    upstream,
  }))
}

/** A call where there are ten tools, and where there are ten thousand. Each connection calls another of them. */
export async function measureLookup(backend, { rounds, seconds }) {
  const subjects = []
  for (const [targets, tools] of [
    [1, 10],
    [100, 100],
  ]) {
    const gateway = await startGateway({ targets: backend.targets(targets, tools) })
    const session = await gateway.session()
    const place = { port: gateway.port, path: '/mcp', headers: session }
    // All at one target: how many servers are called is another question.
    const requests = Array.from({ length: CONNECTIONS }, (_, id) => {
      const name = `target-${targets - 1}__tool_${(id * 7) % tools}`
      const request = { era: 'legacy', id, method: 'tools/call', params: { name, ...TOOL } }
      return { id, bytes: requestBytes(place, request) }
    })
    subjects.push({
      name: String(targets * tools),
      contender: gateway,
      port: gateway.port,
      requests,
    })
  }
  const results = await inTurns(subjects, { rounds, seconds })
  for (const { contender } of subjects) await contender.stop()
  return [...results].map(([tools, figures]) => ({
    tools: Number(tools),
    contender: GATEWAY,
    ...figures,
  }))
}

function subject(name, contender, place, request) {
  const requests = Array.from({ length: CONNECTIONS }, (_, id) => ({
    id,
    bytes: requestBytes(place, { ...request, id }),
  }))
  return { name, contender, port: place.port, requests }
}

/** All but those by which a gateway finds out, every half minute, how its servers are. */
async function requestsIn(backend) {
  const { ping: _, ...counts } = await backend.counts()
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
