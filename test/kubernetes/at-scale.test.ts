/** A gateway before a cluster of thousands of Services, and one whose API server goes away under load. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Cluster, describeWithCluster, IS_OURS } from '../support/cluster.js'
import { startGateway } from '../support/gateway.js'
import { get, openSession } from '../support/raw-client.js'
import { startHostile } from '../support/raw-http-server.js'
import { localService, servicesOf, targetNames, toolNames } from '../support/services.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const SERVICES = 2_000
/** In which half of them are connected to, and then listed, by a process that is all of these servers as well. */
const READY_MS = 60_000

describeWithCluster('a gateway in a cluster', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start()
  }, 120_000)
  afterAll(() => cluster[Symbol.asyncDispose]())

  const configFor = (namespace: string) => ({
    kubernetes: { kubeconfig: cluster.kubeconfig, namespace },
    targets: [{ selectors: { serviceSelector: { matchLabels: { app: 'mcp' } } } }],
  })

  it('finds what is labelled among two thousand Services, in a burst and one by one', async () => {
    const namespace = await cluster.namespace()
    // Not of the SDK: two of its servers for each Service would take most of this process's time.
    await using upstream = await startHostile((_, response) => void response.writeHead(400).end())
    const numbers = Array.from({ length: SERVICES }, (_, index) => index)
    const isOurs = (index: number): boolean => index % 2 === 0
    const create = async (index: number): Promise<void> => {
      const labels = { app: isOurs(index) ? 'mcp' : 'other' }
      await cluster.create(
        servicesOf(namespace),
        localService(`s${index}`, upstream.url, { labels }),
      )
    }
    for (let start = 0; start < SERVICES; start += 50) {
      await Promise.all(numbers.slice(start, start + 50).map(create))
    }
    await using gateway = await startGateway(configFor(namespace), READY_MS)
    expect(targetNames(gateway)).toHaveLength(SERVICES / 2)
    const session = await openSession(gateway.url)
    const areListed = async (count: number) => (await toolNames(session)).length === count
    await waitUntil(() => areListed(SERVICES / 2), 'all to be listed', READY_MS)

    const stream = await session.listen()
    const labelledAt = Date.now()
    await cluster.patch(servicesOf(namespace, 's1'), { metadata: { labels: { app: 'mcp' } } })
    await stream.next('notifications/tools/list_changed')
    expect(Date.now() - labelledAt).toBeLessThan(1_000)
    expect(await toolNames(session)).toContain('s1-mcp__bad')

    const told = stream.messages.length
    const burst = numbers.filter((index) => index % 20 === 3)
    await Promise.all(
      burst.map((index) =>
        cluster.patch(servicesOf(namespace, `s${index}`), { metadata: { labels: { app: 'mcp' } } }),
      ),
    )
    const all = SERVICES / 2 + 1 + burst.length
    await waitUntil(() => areListed(all), 'all of the burst')
    expect(stream.messages.length - told).toBeLessThan(burst.length)
    stream.close()
  }, 180_000)

  it.runIf(IS_OURS)(
    'serves every call while the API server is away, says so, and follows it again afterwards',
    async () => {
      const namespace = await cluster.namespace()
      await using upstream = await startEcho()
      await cluster.create(servicesOf(namespace), localService('steady', upstream.url))
      await using gateway = await startGateway({ ...configFor(namespace), admin: { port: 0 } })
      const over = new AbortController()
      const answers = { good: 0, bad: 0 }
      const load = async (): Promise<void> => {
        const session = await openSession(gateway.url)
        for (let count = 0; !over.signal.aborted; count++) {
          const { json } = await session.call('steady-mcp__echo', { count })
          const isGood = JSON.stringify(json).includes(`{\\"count\\":${count}}`)
          answers[isGood ? 'good' : 'bad'] += 1
        }
      }
      const clients = [load(), load(), load(), load()]
      const [source] = gateway.readiness().sources
      expect(source).toEqual({ source: `services in ${namespace} (app=mcp)`, ready: true })
      const commandLine = await cluster.killApiServer()
      const isStale = () => gateway.readiness().sources[0]?.reason !== undefined
      await waitUntil(isStale, 'the loss to be said')
      expect(gateway.readiness()).toMatchObject({
        ready: true,
        sources: [{ ready: true, reason: expect.stringMatching(/cannot be reached/) as string }],
      })
      const scraped = await get(`${gateway.adminUrl}/metrics`)
      expect(scraped.text).toContain(`mcp_junction_source_up{source="${source?.source}"} 0`)
      await cluster.restartApiServer(commandLine)
      await cluster.create(servicesOf(namespace), localService('new', upstream.url))
      await waitUntil(() => targetNames(gateway).join() === 'new-mcp,steady-mcp', 'the new Service')
      expect(gateway.readiness().sources[0]?.reason).toBeUndefined()
      over.abort()
      await Promise.all(clients)
      expect(answers.bad).toBe(0)
      expect(answers.good).toBeGreaterThan(100)
    },
    90_000,
  )
})
