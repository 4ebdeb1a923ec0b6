/** What is one principal's is nobody else's: child processes, upstream sessions, tasks, state between calls. */
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { ADA, authentication, BOB } from '../support/two-principals.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'

const GOOD = fileURLToPath(new URL('../support/stdio-servers/good.mjs', import.meta.url))

const sessionOf = (url: string, who: typeof ADA) => openSession(url, undefined, {}, who)
const resultOf = ({ json }: { json: JsonObject }) => json['result'] as JsonObject
async function pidOf(session: RawSession): Promise<string> {
  const { content } = resultOf(await session.call('good__pid')) as { content: { text: string }[] }
  return content[0]?.text ?? ''
}

describe('two principals', () => {
  it('have child processes of their own, whatever their sessions', async () => {
    await using gateway = await startGateway({
      authentication,
      targets: [{ name: 'good', stdio: { command: process.execPath, args: [GOOD] } }],
    })
    const pids = []
    for (const who of [ADA, ADA, BOB]) pids.push(await pidOf(await sessionOf(gateway.url, who)))
    expect(pids[0]).toBe(pids[1])
    expect(pids[2]).not.toBe(pids[0])
  })

  it('never share a session at a server, though neither has one here [R76]', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      authentication,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const client = new ModernClient(gateway.url)
    const callersBefore = upstream.initialized.length
    for (const headers of [ADA, BOB, ADA]) await client.call('a__echo', {}, { headers })
    const sessions = upstream.asked('tools/call').map((it) => it.sessionId)
    expect(sessions[0]).toBe(sessions[2])
    expect(sessions[1]).not.toBe(sessions[0])
    expect(upstream.initialized.length - callersBefore).toBe(2)
  })

  it('cannot go on with each other’s calls, though the state of one is known to the other', async () => {
    await using upstream = await startModern({
      tools: [{ name: 't', inputSchema: {} }],
      handlers: {
        'tools/call': ({ params }) =>
          params['inputResponses'] === undefined
            ? { resultType: 'input_required', inputRequests: {}, requestState: 'inner' }
            : { content: [] },
      },
    })
    await using gateway = await startGateway({
      authentication,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const client = new ModernClient(gateway.url)
    const first = await client.call('a__t', {}, { headers: ADA })
    const again = {
      name: 'a__t',
      arguments: {},
      inputResponses: {},
      requestState: resultOf(first)['requestState'] ?? null,
    }
    const asBob = await client.request('tools/call', again, { headers: BOB })
    expect(asBob.json).toMatchObject({ error: { code: -32602 } })
    expect(upstream.asked('tools/call')).toHaveLength(1)
    const asAda = await client.request('tools/call', again, { headers: ADA })
    expect(resultOf(asAda)).toMatchObject({ resultType: 'complete' })
  })

  it('cannot ask about each other’s tasks', async () => {
    const task = { taskId: 'their-task', status: 'working', ttl: 60_000, createdAt: 'c' }
    await using upstream = await startUpstream({
      tools: [{ name: 'dig', inputSchema: {}, execution: { taskSupport: 'optional' } }],
      capabilities: { tasks: { cancel: {}, requests: { tools: { call: {} } } } },
      handlers: {
        'tools/call': () => ({ task }),
        'tasks/get': () => task,
        'tasks/cancel': () => task,
      },
    })
    await using gateway = await startGateway({
      authentication,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const ada = await sessionOf(gateway.url, ADA)
    const bob = await sessionOf(gateway.url, BOB)
    const made = await ada.request('tools/call', { name: 'a__dig', arguments: {}, task: {} })
    const { taskId = null } = resultOf(made)['task'] as JsonObject
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/result']) {
      const { json } = await bob.request(method, { taskId })
      expect(json).toMatchObject({ error: { code: -32602 } })
    }
    expect(upstream.asked('tasks/get')).toEqual([])
    expect(resultOf(await ada.request('tasks/get', { taskId }))).toMatchObject({
      status: 'working',
    })
  })
})
