/** Limits that several gateways share, with a real Redis that hangs, dies, forgets and comes back. */
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Authority } from '../support/certificates.js'
import type { GatewayConfig, RunningGateway } from '../support/gateway.js'
import { configOf, spawnGateway, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { RawResponse } from '../support/raw-client.js'
import { get, openSession } from '../support/raw-client.js'
import { describeWithRedis, Redis } from '../support/redis.js'
import type { Handler, Upstream } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const PASSWORD = 'pl4nted/store secret'
const RATE = { rate: '3/1h' }
const SLOT = { concurrency: 1 }
/** For tests in which Redis is to answer: what two busy cores take is not the subject. */
const PATIENT = { timeout: '10s' }
const BUSY = 'Too many calls run at once. Try again in 1 second.'
const UNCOUNTED = 'How often this is called cannot be counted now. Try again in 1 second.'

/** A call that the store did not count. */
const UNCOUNTED_ONCE = /mcp_junction_limit_store_errors_total\{.*\} [1-9]/

/** A server whose calls run until they are told to end. */
class SlowCalls {
  readonly running: (() => void)[] = []
  isSlow = true
  readonly handler: Handler = async () => {
    if (this.isSlow) await new Promise<void>((resolve) => this.running.push(resolve))
    return { content: [{ type: 'text', text: 'done' }] }
  }

  async begun(count: number): Promise<void> {
    await waitUntil(() => this.running.length === count, `${count} calls to run`)
  }

  endAll(): void {
    for (const end of this.running.splice(0)) end()
  }
}

function configFor(upstream: Upstream, limit: JsonObject, store: JsonObject): GatewayConfig {
  return {
    admin: { port: 0 },
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
    limits: [limit],
    store: { redis: store },
  }
}

async function call({ url }: { readonly url: string }, signal?: AbortSignal): Promise<RawResponse> {
  return new ModernClient(url).call('a__echo', {}, signal === undefined ? {} : { signal })
}

/** What a model reads. */
async function said(gateway: { readonly url: string }): Promise<string> {
  const { result } = (await call(gateway)).json as { result: { content: { text: string }[] } }
  return result.content[0]?.text ?? ''
}

async function metricsOf({ adminUrl }: RunningGateway): Promise<string> {
  return (await get(`${adminUrl}/metrics`)).text
}

async function isUp(gateway: RunningGateway, value = 1): Promise<void> {
  const line = `mcp_junction_limit_store_up ${value}`
  const shows = async () => (await metricsOf(gateway)).includes(line)
  await waitUntil(shows, `the store to be ${value === 1 ? 'up' : 'down'}`)
}

/** Two gateways in front of one server, with one Redis. */
async function world(limit: JsonObject, options: { store?: JsonObject; calls?: SlowCalls } = {}) {
  const redis = await Redis.start()
  const { calls, store = PATIENT } = options
  const upstream = await startEcho(
    calls === undefined ? {} : { handlers: { 'tools/call': calls.handler } },
  )
  const config = configFor(upstream, limit, { url: redis.url, ...store })
  const [one, other] = await Promise.all([startGateway(config), startGateway(config)])
  await Promise.all([isUp(one), isUp(other)])
  return {
    redis,
    upstream,
    config,
    one,
    other,
    [Symbol.asyncDispose]: async () => {
      redis.resume()
      calls?.endAll()
      await Promise.all([one, other].map((it) => it[Symbol.asyncDispose]()))
      await upstream[Symbol.asyncDispose]()
      await redis[Symbol.asyncDispose]()
    },
  }
}

describeWithRedis('gateways with one store', () => {
  it('share a rate, and say so as a gateway alone does', async () => {
    await using it = await world(RATE)
    expect([await said(it.one), await said(it.other), await said(it.one)]).toEqual([
      '{}',
      '{}',
      '{}',
    ])
    const session = await openSession(it.other.url)
    const limited = await session.call('a__echo')
    expect([limited.status, limited.headers['retry-after']]).toEqual([200, '1200'])
    expect(limited.json['result']).toMatchObject({
      content: [{ text: 'This is called too often. Try again in 1200 seconds.' }],
      isError: true,
    })
    expect(await metricsOf(it.other)).toContain(
      'mcp_junction_limited_total{method="tools/call",target="a",reason="rate"} 1',
    )
  })

  it('together let in what a rate has and no more, however many calls come at once', async () => {
    await using it = await world({ rate: '10/1h' })
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => said(i % 2 === 0 ? it.one : it.other)),
    )
    expect(answers.filter((text) => text === '{}')).toHaveLength(10)
  })

  it('share a concurrency, and give slots back as calls end', async () => {
    const calls = new SlowCalls()
    await using it = await world({ concurrency: 2 }, { calls })
    const running = [call(it.one), call(it.other)]
    await calls.begun(2)
    expect([await said(it.one), await said(it.other)]).toEqual([BUSY, BUSY])
    calls.isSlow = false
    calls.endAll()
    await Promise.all(running)
    expect([await said(it.one), await said(it.other)]).toEqual(['done', 'done'])
    await waitUntil(async () => (await it.redis.leases()).length === 0, 'no lease to be left')
  })

  it('keep nothing in Redis that names a caller, and nothing for longer than it counts', async () => {
    await using it = await world({ per: ['principal', 'tool'], rate: '1000/1s' })
    await said(it.one)
    const keys = (await it.redis.command('KEYS', '*')) as string[]
    for (const key of keys) expect(key).toMatch(/^mcp-junction:\{limits\}:[\w-]+(:bucket)?$/)
    await waitUntil(async () => (await it.redis.command('DBSIZE')) === 0, 'Redis to be empty')
  })

  it('keep nothing for calls that another limit refuses, whatever names they make up', async () => {
    await using it = await world(RATE)
    const limits = [{ per: ['tool'], rate: '5/1h' }, RATE]
    it.one.apply(configOf({ ...it.config, limits }))
    const session = await openSession(it.one.url)
    for (let i = 0; i < 10; i++) await session.call(`made_up_${i}`)
    expect(await it.redis.command('KEYS', '*:bucket')).toHaveLength(4)
  })

  it('keep the slots of long calls, also when Redis has forgotten them', async () => {
    const calls = new SlowCalls()
    await using it = await world(SLOT, { calls })
    const running = call(it.one)
    await calls.begun(1)
    const [end = 0] = await it.redis.leases()
    await waitUntil(async () => ((await it.redis.leases())[0] ?? 0) > end, 'a renewal')
    await it.redis.command('FLUSHALL')
    await waitUntil(async () => (await it.redis.leases()).length === 1, 'the lease to be back')
    expect(await said(it.other)).toBe(BUSY)
    calls.isSlow = false
    calls.endAll()
    await running
  })

  it('go on when Redis forgets its scripts', async () => {
    await using it = await world(RATE)
    expect(await said(it.one)).toBe('{}')
    await it.redis.command('SCRIPT', 'FLUSH')
    expect([await said(it.other), await said(it.one)]).toEqual(['{}', '{}'])
    expect(await said(it.other)).toContain('too often')
    expect(await metricsOf(it.other)).not.toMatch(UNCOUNTED_ONCE)
  })

  it('free the slots of one that was killed when its leases have run out', async () => {
    const calls = new SlowCalls()
    await using it = await world(SLOT, { calls })
    await using doomed = await spawnGateway(it.config)
    const broken = call(doomed).catch(() => undefined)
    await calls.begun(1)
    calls.isSlow = false
    await doomed.kill()
    await broken
    expect(await said(it.one)).toBe(BUSY)
    await waitUntil(async () => (await said(it.one)) === 'done', 'the lease to run out', 20_000)
  })

  it('do not keep a slot for a caller that left while Redis was asked', async () => {
    const calls = new SlowCalls()
    calls.isSlow = false
    await using it = await world(SLOT, { calls })
    const session = await openSession(it.one.url)
    await it.redis.pause()
    const cancelled = session.beginAs(77, 'tools/call', { name: 'a__echo', arguments: {} })
    await waitUntil(async () => (await it.redis.unread()) > 0, 'Redis to be asked')
    const asked = await it.redis.unread()
    await session.notify('notifications/cancelled', { requestId: 77 })
    const leaving = new AbortController()
    const left = call(it.other, leaving.signal)
    await waitUntil(async () => (await it.redis.unread()) > asked, 'Redis to be asked again')
    leaving.abort()
    await expect(left).rejects.toThrow('aborted')
    it.redis.resume()
    await (
      await cancelled
    ).ended
    await waitUntil(async () => (await said(it.other)) === 'done', 'the slot to be free')
    await waitUntil(async () => (await it.redis.leases()).length === 0, 'no lease to be left')
    expect(it.upstream.asked('tools/call')).toHaveLength(1)
  })

  it('take over another store, none, and one again, and leave no connection behind', async () => {
    await using it = await world(RATE)
    await using elsewhere = await Redis.start()
    for (const gateway of [it.one, it.other, it.one]) await said(gateway)
    expect(await said(it.one)).toContain('too often')
    const { store: _, ...alone } = it.config
    it.one.apply(configOf({ ...it.config, store: { redis: { url: elsewhere.url, ...PATIENT } } }))
    expect(await said(it.one)).toBe('{}')
    expect(await said(it.other)).toContain('too often')
    await waitUntil(async () => (await it.redis.connections()) === 1, 'one connection to be left')
    it.one.apply(configOf(alone))
    for (let i = 0; i < 3; i++) expect(await said(it.one)).toBe('{}')
    expect(await said(it.one)).toContain('too often')
    expect(await metricsOf(it.one)).not.toContain('mcp_junction_limit_store_up ')
    await waitUntil(async () => (await elsewhere.connections()) === 0, 'no connection to be left')
    it.one.apply(configOf(it.config))
    expect(await said(it.one)).toContain('too often')
    await Promise.all([it.one.close(), it.other.close()])
    await waitUntil(async () => (await it.redis.connections()) === 0, 'no connection to be left')
  })

  it('keep what runs when the store changes, and free it there when it ends', async () => {
    const calls = new SlowCalls()
    await using it = await world(SLOT, { calls })
    const running = call(it.one)
    await calls.begun(1)
    const prefix = 'another:'
    for (const gateway of [it.one, it.other]) {
      gateway.apply(
        configOf({ ...it.config, store: { redis: { url: it.redis.url, prefix, ...PATIENT } } }),
      )
    }
    const known = async () => (await it.redis.command('KEYS', `${prefix}*:running`)) as string[]
    await waitUntil(async () => (await known()).length === 1, 'the call to be known there')
    expect(await said(it.other)).toBe(BUSY)
    calls.isSlow = false
    calls.endAll()
    await running
    await waitUntil(async () => (await said(it.other)) === 'done', 'the slot to be free')
  })
})

describeWithRedis('while Redis does not answer', () => {
  const QUICK = { timeout: '1s' }

  it.each(['hangs', 'is gone'])('and %s, "open" lets calls in without a wait', async (how) => {
    await using it = await world(RATE, { store: { ...QUICK, whenDown: 'open' } })
    expect(await said(it.one)).toBe('{}')
    await (how === 'hangs' ? it.redis.pause() : it.redis.kill())
    // The first finds out; the rest wait for nothing: all together would take longer than anybody waits.
    for (let i = 0; i < 50; i++) expect(await said(it.one)).toBe('{}')
    await isUp(it.one, 0)
    expect(await metricsOf(it.one)).toMatch(UNCOUNTED_ONCE)
    if (how === 'hangs') it.redis.resume()
    else await it.redis.restart()
    await isUp(it.one)
    await waitUntil(async () => (await said(it.one)).includes('too often'), 'calls to be counted')
  })

  it.each(['hangs', 'is gone'])('and %s, "closed" limits them with words', async (how) => {
    await using it = await world(RATE, { store: { ...QUICK, whenDown: 'closed' } })
    await (how === 'hangs' ? it.redis.pause() : it.redis.kill())
    const { status, headers, json } = await call(it.one)
    expect([status, headers['retry-after']]).toEqual([200, '1'])
    expect(json['result']).toMatchObject({ isError: true, content: [{ text: UNCOUNTED }] })
    for (let i = 0; i < 50; i++) expect(await said(it.one)).toBe(UNCOUNTED)
    expect(await metricsOf(it.one)).toContain(
      'mcp_junction_limited_total{method="tools/call",target="a",reason="store"} 51',
    )
    if (how === 'hangs') it.redis.resume()
    else await it.redis.restart()
    await isUp(it.one)
    expect(await said(it.one)).toBe('{}')
  })

  it('slots that it may have given unheard are given back', async () => {
    const calls = new SlowCalls()
    calls.isSlow = false
    await using it = await world(SLOT, { calls, store: { ...QUICK, whenDown: 'closed' } })
    await it.redis.pause()
    expect(await said(it.one)).toBe(UNCOUNTED)
    it.redis.resume()
    await isUp(it.one)
    await waitUntil(
      async () => (await it.redis.leases()).length === 0,
      'no lease to be left',
      5_000,
    )
  })

  it('calls that were let in meanwhile take their slots when it is back', async () => {
    const calls = new SlowCalls()
    await using it = await world(SLOT, { calls, store: QUICK })
    await it.redis.kill()
    const running = call(it.one)
    await calls.begun(1)
    await it.redis.restart()
    await waitUntil(async () => (await it.redis.leases()).length === 1, 'the slot to be taken')
    await isUp(it.other)
    expect(await said(it.other)).toBe(BUSY)
    calls.isSlow = false
    calls.endAll()
    await running
  })

  it('a gateway starts, and counts as soon as it can', async () => {
    await using redis = await Redis.reserve()
    await using upstream = await startEcho()
    await using gateway = await startGateway(
      configFor(upstream, RATE, { url: redis.url, ...PATIENT, whenDown: 'closed' }),
    )
    expect(await said(gateway)).toBe(UNCOUNTED)
    await redis.restart()
    await isUp(gateway)
    expect(await said(gateway)).toBe('{}')
  })

  it('the log says so once, and that it is back, whatever calls come', async () => {
    await using redis = await Redis.start()
    await using upstream = await startEcho()
    await using gateway = await spawnGateway(
      configFor(upstream, RATE, { url: redis.url, ...PATIENT }),
    )
    const lines = () => gateway.log.filter((it) => String(it['msg']).includes('store'))
    const ups = () => lines().filter((it) => it['msg'] === 'limits are counted in the store')
    await waitUntil(() => ups().length === 1, 'the store to be used')
    await redis.kill()
    for (let i = 0; i < 30; i++) await said(gateway)
    await redis.restart()
    await waitUntil(() => ups().length === 2, 'the store to be used again')
    const downs = lines().filter((it) => !ups().includes(it))
    expect(downs.length).toBeGreaterThan(0)
    expect(new Set(downs.map((it) => it['reason'])).size).toBe(downs.length)
    expect(downs[0]).toMatchObject({
      store: `127.0.0.1:${redis.port}`,
      msg: 'the store of limits cannot be used; limited calls are let in',
    })
  })
})

describeWithRedis('a Redis that wants', () => {
  it.each([
    ['a password in the URL', (port: number) => ({ url: urlWith(PASSWORD, port) })],
    [
      'a password of its own key',
      (port: number) => ({ url: `redis://127.0.0.1:${port}/3`, password: PASSWORD }),
    ],
  ])('%s gets it', async (_, store) => {
    await using redis = await Redis.start('--requirepass', PASSWORD)
    await using upstream = await startEcho()
    await using gateway = await startGateway(
      configFor(upstream, RATE, { ...store(redis.port), ...PATIENT }),
    )
    await isUp(gateway)
    for (let i = 0; i < 3; i++) expect(await said(gateway)).toBe('{}')
    expect(await said(gateway)).toContain('too often')
  })

  it('another password is told of, and nobody reads either', async () => {
    await using redis = await Redis.start('--requirepass', PASSWORD)
    await using upstream = await startEcho()
    const wrong = `${PASSWORD}-wrong`
    const config = configFor(upstream, RATE, { url: urlWith(wrong, redis.port) })
    await using gateway = await spawnGateway(config)
    const refusal = () => gateway.log.find((it) => String(it['reason']).includes('WRONGPASS'))
    await waitUntil(() => refusal() !== undefined, 'the password to be refused')
    expect(await said(gateway)).toBe('{}')
    const { url } = gateway.log.find((it) => it['msg'] === 'admin listener') ?? {}
    const { text } = await get(`${String(url)}/metrics`)
    expect(text).toContain('mcp_junction_limit_store_up 0')
    await gateway.reconfigure(configFor(upstream, RATE, { url: urlWith(PASSWORD, redis.port) }))
    const counts = () => gateway.log.some((it) => it['msg'] === 'limits are counted in the store')
    await waitUntil(counts, 'the right password to be used')
    const everything = JSON.stringify([gateway.log, text])
    for (const part of ['pl4nted', encodeURIComponent(PASSWORD)]) {
      expect(everything).not.toContain(part)
    }
  })

  it('a user who may do what the documentation says, and nothing else', async () => {
    await using redis = await Redis.start()
    await using upstream = await startEcho()
    const page = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8')
    const [line = ''] = /^- Its user needs .*$/m.exec(page) ?? []
    const commands = [...line.matchAll(/`([a-z]{4,})`/g)].flatMap(([, it = '']) =>
      it === 'prefix' ? [] : [`+${it}`],
    )
    expect(commands.length).toBeGreaterThan(5)
    await redis.command('ACL', 'SETUSER', 'gw', 'on', '>pw', '~mcp-junction:*', ...commands)
    const url = `redis://gw:pw@127.0.0.1:${redis.port}`
    const limit = { ...RATE, concurrency: 5 }
    await using gateway = await startGateway(configFor(upstream, limit, { url, ...PATIENT }))
    await isUp(gateway)
    for (let i = 0; i < 3; i++) expect(await said(gateway)).toBe('{}')
    expect(await said(gateway)).toContain('too often')
    await waitUntil(async () => (await redis.leases()).length === 0, 'no lease to be left')
    expect(await metricsOf(gateway)).not.toMatch(UNCOUNTED_ONCE)
  })

  it('TLS is known by its authority', async () => {
    await using authority = await Authority.create()
    await using stranger = await Authority.create()
    await authority.sign('redis', 'redis', 'IP:127.0.0.1')
    const files = ['--tls-cert-file', authority.path('redis.pem')]
    files.push('--tls-key-file', authority.path('redis.key'))
    files.push('--tls-ca-cert-file', authority.path('ca.pem'))
    await using redis = await Redis.start(
      '--tls-port',
      'PORT',
      '--tls-auth-clients',
      'no',
      ...files,
    )
    await using upstream = await startEcho()
    const storeOf = (ca: string) => ({
      url: `rediss://127.0.0.1:${redis.port}`,
      tls: { ca },
      ...PATIENT,
    })
    const config = configFor(upstream, RATE, storeOf(stranger.path('ca.pem')))
    await using gateway = await startGateway(config)
    await isUp(gateway, 0)
    gateway.apply(configOf(configFor(upstream, RATE, storeOf(authority.path('ca.pem')))))
    await isUp(gateway)
    for (let i = 0; i < 3; i++) expect(await said(gateway)).toBe('{}')
    expect(await said(gateway)).toContain('too often')
  })
})

function urlWith(password: string, port: number): string {
  return `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}`
}
