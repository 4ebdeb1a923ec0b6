/** Workers find Services each for itself, and serve the same. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Cluster, describeWithCluster } from '../support/cluster.js'
import { openSession } from '../support/raw-client.js'
import { localService, servicesOf } from '../support/services.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'
import { APART, BOTH, numbers, lines, pidOf, ready, readyz, spawnTwo } from '../support/workers.js'

describeWithCluster('Services and workers', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start()
  }, 120_000)
  afterAll(() => cluster[Symbol.asyncDispose]())

  it('a Service that is labelled is served by all workers, and by one that takes the place of another', async () => {
    const namespace = await cluster.namespace()
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({
      kubernetes: { kubeconfig: cluster.kubeconfig, namespace },
      targets: [{ selectors: { serviceSelector: { matchLabels: { app: 'mcp' } } } }],
    })
    const session = await openSession(gateway.url, undefined, {}, APART)
    await cluster.create(servicesOf(namespace), localService('search', upstream.url))
    const isServed = async (times: number): Promise<boolean> => {
      for (let calls = 0; calls < times; calls++) {
        if (!('result' in (await session.call('search-mcp__echo')).json)) return false
      }
      return true
    }
    await waitUntil(() => isServed(4), 'both workers to serve it')
    const calls = () => lines(gateway, 'request').filter((it) => it['method'] === 'tools/call')
    await waitUntil(() => numbers(calls()).length === BOTH.length, 'both workers to say so')
    const { json } = await readyz(gateway)
    expect(json).toMatchObject({
      workers: [{ ready: true }, { ready: true }],
      targets: [{ target: 'search-mcp', ready: true }],
    })

    const before = pidOf(gateway, 1)
    process.kill(before, 'SIGKILL')
    await waitUntil(() => pidOf(gateway, 1) !== before, 'another worker')
    await ready(gateway)
    expect(await isServed(4)).toBe(true)

    await cluster.patch(servicesOf(namespace, 'search'), { metadata: { labels: { app: null } } })
    await waitUntil(async () => {
      for (let tries = 0; tries < 4; tries++) if (await isServed(1)) return false
      return true
    }, 'both workers to serve it no longer')
  })
})
