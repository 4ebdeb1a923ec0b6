/** Three gateways behind nginx, restarted and killed in turn under load; docs/reliability.md has the figures. */
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { childServer } from '../support/child-server.js'
import type { GatewayConfig, SpawnedGateway } from '../support/gateway.js'
import { spawnGateway } from '../support/gateway.js'
import type { Outcome } from '../support/marked-load.js'
import { startLoad } from '../support/marked-load.js'
import { startModern } from '../support/modern-upstream.js'
import { hasNginx, startNginx } from '../support/nginx.js'
import { get } from '../support/raw-client.js'
import { connectV1 } from '../support/sdk-clients.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const PACE = { clients: 8, callsPerSecond: 200 }
const TOOLS = ['legacy__echo', 'modern__echo', 'child__echo']
const REPLICAS = 3
const KEPT_CONNECTIONS = 32
/** In which nginx learns that the other side of a connection is gone. */
const NOTICED_MS = 250
/** From when a listener is closed, which breaks connections that have just been made, to the end of its process. */
const MOMENT_MS = 2_000

const child = childServer('good')

/** Counts how often a server got each mark: no call may be made twice. */
class Marks {
  readonly #seen = new Map<string, number>()

  see(given: unknown): string {
    const text = JSON.stringify(given)
    const [mark = ''] = /mark-\d+\./.exec(text) ?? []
    this.#seen.set(mark, (this.#seen.get(mark) ?? 0) + 1)
    return text
  }

  get twice(): readonly string[] {
    return [...this.#seen].filter(([, times]) => times > 1).map(([mark]) => mark)
  }
}

async function world() {
  const marks = new Marks()
  const content = (given: unknown) => ({ content: [{ type: 'text', text: marks.see(given) }] })
  const legacy = await startEcho({ handlers: { 'tools/call': content } })
  const modern = await startModern({
    handlers: { 'tools/call': ({ params }) => content(params) },
  })
  const config: GatewayConfig = {
    targets: [
      { name: 'legacy', mcp: { url: legacy.url } },
      { name: 'modern', mcp: { url: modern.url } },
      { name: 'child', stdio: child },
    ],
    sessions: { keys: [randomBytes(32).toString('base64')] },
  }
  const start = (port: number) =>
    // In which connections that are kept are used once more and given up, or are idle for too long: a second, and on a busy
    // machine nginx is late.
    spawnGateway({ ...config, listen: { port, drain: { delay: '4s' } } })
  const gateways = await Promise.all(Array.from({ length: REPLICAS }, () => start(0)))
  const ports = gateways.map((it) => it.port)
  const balancers = [await startNginx(ports, 0), await startNginx(ports, KEPT_CONNECTIONS)]
  return {
    legacy,
    marks,
    urls: balancers.map((it) => it.url),
    /** Ends one after the other, and starts it again at its address. */
    inTurn: async (
      end: (gateway: SpawnedGateway, index: number) => Promise<unknown>,
    ): Promise<void> => {
      for (const [index, port] of ports.entries()) {
        const old = gateways[index]
        if (old === undefined) throw new TypeError('there is one at each port')
        await end(old, index)
        await old[Symbol.asyncDispose]()
        gateways[index] = await start(port)
        for (const it of balancers) await it.putBack(index)
      }
    },
    /** Tells one to stop, and no longer gives it requests as soon as it says that it is not ready; resolves when it has ended. */
    takeOutAndStop: async (gateway: SpawnedGateway, index: number): Promise<void> => {
      const stopped = gateway.stop()
      const readyz = gateway.url.replace('/mcp', '/readyz')
      await waitUntil(async () => (await get(readyz)).status === 503, 'the gateway to stop')
      for (const it of balancers) await it.takeOut(index)
      await stopped
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...balancers, ...gateways].map((it) => it[Symbol.asyncDispose]()))
      await modern[Symbol.asyncDispose]()
      await legacy[Symbol.asyncDispose]()
    },
  }
}

const failed = (outcomes: readonly Outcome[]) => outcomes.filter((it) => it.failure !== undefined)

function report(what: string, outcomes: readonly Outcome[]): void {
  const from = Math.min(...outcomes.map((it) => it.begunAt))
  const to = Math.max(...outcomes.map((it) => it.endedAt))
  const perSecond = Math.round((outcomes.length * 1_000) / (to - from))
  const figures = { calls: outcomes.length, perSecond, failed: failed(outcomes).length }
  process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`)
}

describe.skipIf(!hasNginx)('three replicas behind nginx (skipped where nginx is missing)', () => {
  it('are restarted one by one: no call of a client of either era fails, and streams go on', async () => {
    await using it = await world()
    const [url = ''] = it.urls
    await using listening = await connectV1(url)
    let told = 0
    listening.setNotificationHandler(ToolListChangedNotificationSchema, () => void told++)
    await using load = await startLoad(it.urls, TOOLS, PACE)
    await it.inTurn(it.takeOutAndStop)
    await load.stop()
    report('rolling restart', load.outcomes)
    expect(failed(load.outcomes)).toEqual([])
    expect(it.marks.twice).toEqual([])
    const before = told
    it.legacy.lists.tools = []
    await it.legacy.notifyListChanged('tools')
    await waitUntil(() => told > before, 'the change to be told')
  }, 60_000)

  it('are restarted one by one where nginx learns of it by refusals: none fails but what comes in the very moment, and nothing is called twice', async () => {
    await using it = await world()
    await using load = await startLoad(it.urls, TOOLS, PACE)
    const exits: number[] = []
    await it.inTurn(async (gateway) => {
      await gateway.stop()
      exits.push(performance.now())
    })
    await load.stop()
    report('rolling restart without readiness', load.outcomes)
    const failures = failed(load.outcomes)
    for (const { endedAt, failure } of failures) {
      expect(failure).toContain('502 Bad Gateway')
      expect(exits.some((at) => endedAt < at && at < endedAt + MOMENT_MS)).toBe(true)
    }
    expect(failures.length).toBeLessThanOrEqual(REPLICAS)
    expect(it.marks.twice).toEqual([])
  }, 60_000)

  it('are killed one by one: what fails is what ran there, nothing is called twice, and clients go on', async () => {
    await using it = await world()
    await using load = await startLoad(it.urls, TOOLS, PACE)
    const deaths: (readonly [from: number, to: number])[] = []
    await it.inTurn(async (gateway) => {
      const before = load.outcomes.length
      await waitUntil(() => load.outcomes.length > before + 50, 'calls')
      const from = performance.now()
      await gateway.kill()
      deaths.push([from, performance.now() + NOTICED_MS])
    })
    await load.stop()
    const during = ({ begunAt, endedAt }: Outcome): boolean =>
      deaths.some(([from, to]) => begunAt <= to && from <= endedAt)
    report('kill -9', load.outcomes)
    expect(failed(load.outcomes).filter((outcome) => !during(outcome))).toEqual([])
    expect(failed(await load.onceEach())).toEqual([])
    expect(it.marks.twice).toEqual([])
  }, 60_000)
})
