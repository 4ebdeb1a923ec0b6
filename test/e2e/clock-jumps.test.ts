/** The wall clock of the gateway is set to hours later or earlier, under calls, sessions, limits and a circuit that is open. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { folderOf } from '../support/config.js'
import type { GatewayConfig } from '../support/gateway.js'
import { spawnGatewayIn } from '../support/gateway.js'
import { Issuer } from '../support/issuer.js'
import { get, openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const HOUR_MS = 3_600_000
const JUMPS = [5, -5] as const

/** A gateway whose clock the test sets. */
async function spawnWithClock(config: GatewayConfig) {
  const folder = await folderOf({})
  const file = join(folder.path, 'offset')
  const surroundings = { preload: 'clock', env: { CLOCK_OFFSET_FILE: file } }
  const gateway = await spawnGatewayIn(surroundings, { admin: { port: 0 }, ...config })
  const adminUrl = String(gateway.log.find((it) => it['msg'] === 'admin listener')?.['url'])
  return {
    gateway,
    report: async (name: string) => (await get(`${adminUrl}/api/v1/${name}`)).json,
    jump: (hours: number) => writeFile(file, String(hours * HOUR_MS)),
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

const targetOf = (url: string, more: JsonObject = {}) => ({ name: 'a', mcp: { url }, ...more })

describe.each(JUMPS)('when the clock jumps by %i hours', (hours) => {
  it('sessions and running calls go on, and what is shown of them is no nonsense', async () => {
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    const held: Handler = async (params, extra) => {
      const { hold } = params['arguments'] as JsonObject
      if (hold === true) await released
      return echo(params, extra)
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': held } })
    await using it = await spawnWithClock({
      targets: [targetOf(upstream.url)],
      sessions: { idleTimeout: '1h' },
    })
    const session = await openSession(it.gateway.url)
    await openSession(it.gateway.url)
    await session.call('a__echo')
    const { length } = upstream.initialized
    const running = session.call('a__echo', { hold: true })
    await waitUntil(() => upstream.asked('tools/call').length === 2, 'the call to arrive')
    await it.jump(hours)
    release()
    expect((await running).json).toMatchObject({ result: {} })
    expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
    // In the session that was there: nobody was let go of.
    expect(upstream.initialized).toHaveLength(length)
    const { sessions } = (await it.report('sessions')) as { sessions: { idleMs: number }[] }
    expect(sessions).toHaveLength(2)
    for (const { idleMs } of sessions) {
      expect(idleMs).toBeGreaterThanOrEqual(0)
      expect(idleMs).toBeLessThan(60_000)
    }
    const { operations } = (await it.report('operations')) as {
      operations: { durationMs: number }[]
    }
    for (const { durationMs } of operations) {
      expect(durationMs).toBeGreaterThanOrEqual(0)
      expect(durationMs).toBeLessThan(60_000)
    }
    const { traffic } = (await it.report('status')) as {
      traffic: { lastMinute: { count: number } }
    }
    expect(traffic.lastMinute.count).toBeGreaterThanOrEqual(1)
  })

  it('limits neither open nor stay shut', async () => {
    await using upstream = await startEcho()
    await using it = await spawnWithClock({
      targets: [targetOf(upstream.url)],
      limits: [{ per: [], rate: '1/5s', burst: 1 }],
    })
    const session = await openSession(it.gateway.url)
    const isServed = async () => {
      const { result } = (await session.call('a__echo')).json
      return (result as JsonObject)['isError'] !== true
    }
    expect(await isServed()).toBe(true)
    const servedAt = performance.now()
    await it.jump(hours)
    await waitUntil(isServed, 'the next to be served')
    expect(performance.now() - servedAt).toBeGreaterThan(4_000)
  })

  it('a server that is left alone stays so for as long as was said, and is called when it is back', async () => {
    await using upstream = await startEcho()
    await using it = await spawnWithClock({
      targets: [
        targetOf(upstream.url, {
          circuitBreaker: { consecutiveFailures: 1, ejection: '1h' },
          retries: { attempts: 0 },
        }),
      ],
    })
    const session = await openSession(it.gateway.url)
    await session.call('a__echo')
    await upstream.kill()
    const failure = async () => {
      const { error } = (await session.call('a__echo')).json
      return (error as { data: JsonObject }).data
    }
    await waitUntil(async () => (await failure())['reason'] === 'circuit-open', 'the circuit')
    await it.jump(hours)
    const { reason, retryAfterMs } = await failure()
    expect(reason).toBe('circuit-open')
    expect(retryAfterMs).toBeGreaterThan(0.5 * HOUR_MS)
    expect(retryAfterMs).toBeLessThan(1.2 * HOUR_MS)
    await upstream.start()
    await waitUntil(async () => 'result' in (await session.call('a__echo')).json, 'its return')
  })

  it('tokens are what they were, and new keys of their issuer are found', async () => {
    await using upstream = await startEcho()
    await using issuer = await Issuer.start()
    await using it = await spawnWithClock({
      targets: [targetOf(upstream.url)],
      authentication: {
        mode: 'strict',
        jwt: [{ issuer: issuer.url, audiences: ['gateway'], jwks: { url: `${issuer.url}/keys` } }],
      },
    })
    const enter = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` }
      return openSession(it.gateway.url, undefined, {}, headers)
    }
    const token = await issuer.token({ expires: 24 * 3_600 })
    await enter(token)
    await it.jump(hours)
    const session = await enter(token)
    expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
    const { asked } = issuer
    await issuer.rotate()
    const next = await issuer.token({ expires: 24 * 3_600 })
    const isLetIn = () =>
      enter(next).then(
        () => true,
        () => false,
      )
    await waitUntil(isLetIn, 'the new key to be found')
    // Not with every token that named it.
    expect(issuer.asked - asked).toBeLessThan(5)
  })
})
