/** Replicas behind an nginx that lets sessions stay where they are, as docs/reliability.md writes it. */
import { describe, expect, it } from 'vitest'
import { childServer } from '../support/child-server.js'
import { hasNginx, startNginx } from '../support/nginx.js'
import { openSession } from '../support/raw-client.js'
import { startReplicas } from '../support/replicas.js'
import { startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const SESSIONS = 8
const asking = childServer('asking')

describe.skipIf(!hasNginx)('sessions that stay (skipped where nginx is missing)', () => {
  it('are told of what they follow, and their answers reach the child process that asked', async () => {
    await using upstream = await startUpstream({
      resources: [{ uri: 'demo://doc', name: 'doc' }],
      capabilities: { resources: { subscribe: true } },
      handlers: { 'resources/subscribe': () => ({}) },
    })
    const targets = [
      { name: 'a', mcp: { url: upstream.url } },
      { name: 'child', stdio: asking },
    ]
    await using replicas = await startReplicas(3, { targets })
    const ports = replicas.gateways.map((it) => it.port)
    await using nginx = await startNginx(ports, 8, 'sessions')
    const sessions = await Promise.all(
      Array.from({ length: SESSIONS }, () =>
        openSession(nginx.url, undefined, { elicitation: { form: {} } }),
      ),
    )
    const streams = await Promise.all(sessions.map((it) => it.listen()))
    for (const it of sessions) await it.request('resources/subscribe', { uri: 'demo://doc' })
    await upstream.notifyUpdated('demo://doc')
    await Promise.all(streams.map((it) => it.next('notifications/resources/updated')))

    for (const it of sessions) {
      const call = await it.begin('tools/call', { name: 'child__ask' })
      await call.next('elicitation/create')
      const question = call.messages.find(({ method }) => method === 'elicitation/create')
      const { status } = await it.answer(question?.['id'] ?? null, { action: 'accept' })
      expect(status).toBe(202)
      await waitUntil(() => call.messages.length === 2, 'the result')
    }
    for (const it of streams) it.close()
  })
})
