/** A gateway of two processes on one port, as docs/reliability.md, "Workers", says it is. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { childServer } from '../support/child-server.js'
import { CLI } from '../support/gateway.js'
import { startLoad } from '../support/marked-load.js'
import { get, openSession, post, send } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'
import {
  adminUrl,
  APART,
  BOTH,
  goodChild,
  lines,
  numbers,
  pidOf,
  pids,
  ready,
  readyz,
  spawnTwo,
  workersOf,
} from '../support/workers.js'

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

describe('workers', () => {
  it('serve one port together; a session goes on at whichever takes its next connection', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    expect(lines(gateway, 'listening')).toMatchObject([{ workers: 2 }])
    expect(new Set([...pids(gateway), gateway.process.pid]).size).toBe(3)
    const session = await openSession(gateway.url, undefined, {}, APART)
    for (let mark = 0; mark < 10; mark++) {
      const { json } = await session.call('a__echo', { mark })
      expect(JSON.stringify(json)).toContain(`\\"mark\\":${mark}`)
    }
    const served = () => lines(gateway, 'request').filter((it) => it['method'] === 'tools/call')
    await waitUntil(() => served().length === 10, 'the calls in the log')
    expect(numbers(served())).toEqual(BOTH)
    expect(new Set(served().map((it) => it['session'])).size).toBe(1)
  })

  it('serve a client of HTTP+SSE, whichever of them takes what it posts', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({
      listen: { port: 0, legacySse: true },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const transport = new SSEClientTransport(new URL('/sse', gateway.url), {
      fetch: async (url, init) => {
        if (init?.method !== 'POST') return fetch(url, init)
        const headers = Object.fromEntries(new Headers(init.headers))
        const answer = await post(String(url), String(init.body), { ...headers, ...APART })
        return new Response(answer.text, { status: answer.status })
      },
    })
    const client = new Client({ name: 'old', version: '1' })
    await client.connect(transport)
    for (let mark = 0; mark < 10; mark++) {
      const result = await client.callTool({ name: 'a__echo', arguments: { mark } })
      expect(JSON.stringify(result)).toContain(`\\"mark\\":${mark}`)
    }
    await client.close()
    const { text } = await get(`${adminUrl(gateway)}/metrics`)
    const given = text.matchAll(/^mcp_junction_peer_requests_total\{.*answered.*\} (\d+)$/gm)
    expect([...given].some(([, count]) => Number(count) > 0)).toBe(true)
  })

  it('have child processes of their own', async () => {
    await using gateway = await spawnTwo({ targets: [goodChild] })
    const session = await openSession(gateway.url, undefined, {}, APART)
    const seen = new Set<string>()
    for (let calls = 0; calls < 10; calls++) seen.add((await session.call('child__pid')).text)
    expect(JSON.stringify([...seen])).toContain('result')
    expect(new Set([...seen].map((it) => /"text":"(\d+)"/.exec(it)?.[1])).size).toBe(2)
  })

  it('give each other what only one of them can serve: one child of a session, its questions, what it follows', async () => {
    const resources = [{ uri: 'demo://doc', name: 'doc' }]
    const capabilities = { resources: { subscribe: true } }
    const handlers = { 'resources/subscribe': () => ({}) }
    await using upstream = await startUpstream({ resources, capabilities, handlers })
    const stdio = childServer('asking')
    const own = { ...goodChild.stdio, scope: 'session' }
    await using gateway = await spawnTwo({
      targets: [
        { name: 'a', stdio },
        { name: 'own', stdio: own },
        { name: 'b', mcp: { url: upstream.url } },
      ],
    })
    const elicits = { elicitation: { form: {} } }
    // With each request on a connection of its own, several sessions meet all that can be.
    for (let round = 0; round < 4; round++) {
      const session = await openSession(gateway.url, undefined, elicits, APART)
      const seen = new Set<string | undefined>()
      for (let calls = 0; calls < 4; calls++) {
        seen.add(/"text":"(\d+)"/.exec((await session.call('own__pid')).text)?.[1])
      }
      expect([...seen]).toEqual([expect.stringMatching(/^\d+$/)])
      const call = await session.begin('tools/call', { name: 'a__ask' })
      await call.next('elicitation/create')
      const { id = '' } = call.messages.find((it) => it['method'] === 'elicitation/create') ?? {}
      expect((await session.answer(id, { action: 'accept', content: { round } })).status).toBe(202)
      await call.ended
      expect(JSON.stringify(call.messages.at(-1))).toContain(`\\"round\\":${round}`)
      const stream = await session.listen()
      const { json } = await session.request('resources/subscribe', { uri: 'demo://doc' })
      expect(json).toMatchObject({ result: {} })
      await upstream.notifyUpdated('demo://doc')
      await stream.next('notifications/resources/updated')
      stream.close()
    }
  })

  it('are shown by one scrape, each metric described once, and by the page', async () => {
    await using gateway = await spawnTwo({ targets: [goodChild] })
    const { text } = await get(`${adminUrl(gateway)}/metrics`)
    const described = text.split('\n').filter((it) => it.startsWith('# TYPE '))
    expect(new Set(described).size).toBe(described.length)
    for (const worker of BOTH) {
      expect(text).toContain(
        `mcp_junction_config_reloads_total{worker="${worker}",outcome="applied"}`,
      )
      expect(text).toMatch(new RegExp(`process_memory_usage_bytes\\{worker="${worker}".*\\} \\d+`))
    }
    expect((await get(`${adminUrl(gateway)}/`)).text).toContain('<html')
    expect((await get(`${adminUrl(gateway)}/healthz`)).json).toEqual({ status: 'ok' })
  })

  it('ask for the token of the admin listener, whoever answers, and change their log level together', async () => {
    const token = 'a-token-of-some-length'
    await using gateway = await spawnTwo({ targets: [], admin: { port: 0, token } })
    for (const path of ['/metrics', '/api/v1/status']) {
      expect((await get(`${adminUrl(gateway)}${path}`)).status).toBe(401)
    }
    const headers = { authorization: `Bearer ${token}` }
    expect((await get(`${adminUrl(gateway)}/metrics`, headers)).status).toBe(200)
    const level = `${adminUrl(gateway)}/api/v1/log-level`
    expect((await send('PUT', level, '{"level":"info"}', headers)).status).toBe(200)
    expect(await workersOf(gateway, 'log level set')).toEqual(BOTH)
  })

  it('take over a changed configuration, each; what cannot be used none does', async () => {
    await using upstream = await startEcho()
    const target = (name: string) => ({ name, mcp: { url: upstream.url } })
    const admin = { port: 0 }
    await using gateway = await spawnTwo({ targets: [target('a')] })
    await gateway.reconfigure('{"targets": [')
    await waitUntil(() => lines(gateway, 'configuration refused').length > 0, 'the refusal')
    await gateway.reconfigure({ workers: 2, admin, targets: [target('b')] })
    expect(await workersOf(gateway, 'configuration applied')).toEqual(BOTH)
    await gateway.reconfigure({ workers: 3, admin, targets: [target('b')] })
    const warned = () => lines(gateway, 'changed sections that need a restart')
    await waitUntil(() => warned().length > 0, 'the warning')
    expect(warned()).toMatchObject([{ sections: ['workers'] }])
    const session = await openSession(gateway.url, undefined, {}, APART)
    for (let calls = 0; calls < 4; calls++) {
      expect((await session.call('b__echo')).json).toMatchObject({ result: {} })
    }
    const { text } = await get(`${adminUrl(gateway)}/metrics`)
    for (const worker of BOTH) {
      // Once for each look at it: a slow machine may take two.
      const refused = `mcp_junction_config_reloads_total\\{worker="${worker}",outcome="refused"\\} [12]`
      expect(text).toMatch(new RegExp(refused))
    }
  })

  it('look at the configuration at SIGHUP', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({ targets: [] }, '--no-watch')
    const targets = [{ name: 'a', mcp: { url: upstream.url } }]
    await gateway.reconfigure({ workers: 2, admin: { port: 0 }, targets })
    gateway.process.kill('SIGHUP')
    expect(await workersOf(gateway, 'configuration applied')).toEqual(BOTH)
  })
})

describe('a worker that is killed', () => {
  it('under load takes the calls that ran there with it, and no others; another takes its place', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const pace = { clients: 8, callsPerSecond: 100 }
    await using load = await startLoad([gateway.url], ['a__echo'], pace)
    await waitUntil(() => load.outcomes.length > 50, 'some load')
    const killedAt = performance.now()
    process.kill(pidOf(gateway, 1), 'SIGKILL')
    await waitUntil(() => lines(gateway, 'worker died; another takes its place').length > 0, 'news')
    const knownAt = performance.now()
    await waitUntil(() => lines(gateway, 'worker ready').length === 3, 'another worker')
    await ready(gateway)
    const before = load.outcomes.length
    await waitUntil(() => load.outcomes.length > before + 100, 'more load')
    await load.stop()
    const failed = load.outcomes.filter((it) => it.failure !== undefined)
    const elsewhere = failed.filter((it) => it.endedAt < killedAt || it.begunAt > knownAt)
    expect(elsewhere).toEqual([])
    expect((await load.onceEach()).filter((it) => it.failure !== undefined)).toEqual([])
    expect(upstream.asked('tools/call').length).toBeGreaterThan(150)
    const { text } = await get(`${adminUrl(gateway)}/metrics`)
    expect(text).toContain('{worker="1"')
  })

  it('again and again is waited for, longer each time', async () => {
    await using gateway = await spawnTwo({ targets: [] })
    const died = () => lines(gateway, 'worker died; another takes its place')
    for (let times = 1; times <= 3; times++) {
      process.kill(pidOf(gateway, 1), 'SIGKILL')
      await waitUntil(() => died().length === times, 'its end')
      await waitUntil(() => pids(gateway).length === 2 + times, 'the next')
    }
    expect(died()).toMatchObject([
      { worker: 1, signal: 'SIGKILL', restartMs: 0 },
      { restartMs: 100 },
      { restartMs: 200 },
    ])
  })

  it('leaves the gateway out of service until it is replaced, and its sessions to the others', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(gateway.url, undefined, {}, APART)
    process.kill(pidOf(gateway, 1), 'SIGKILL')
    await waitUntil(async () => (await readyz(gateway)).status === 503, 'the news')
    expect((await readyz(gateway)).json).toMatchObject({
      workers: [{ worker: 1 }, { ready: true }],
    })
    for (let calls = 0; calls < 4; calls++) {
      expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
    }
    await ready(gateway)
    expect(pidOf(gateway, 1)).not.toBe(pids(gateway)[0])
  })
})

describe('a gateway with workers that is told to stop', () => {
  it('loses no call, and exits with 0', async () => {
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    const held: Handler = async (params) => {
      await released
      return echo(params, {} as never)
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': held } })
    await using gateway = await spawnTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(gateway.url, undefined, {}, APART)
    const calls = Array.from({ length: 20 }, (_, mark) => session.call('a__echo', { mark }))
    await waitUntil(() => upstream.asked('tools/call').length === 20, 'the calls to arrive')
    const stopped = gateway.stop()
    await waitUntil(() => lines(gateway, 'stopping').length > 0, 'the signal')
    expect((await readyz(gateway)).json).toMatchObject({ ready: false, isStopping: true })
    release()
    for (const { json } of await Promise.all(calls)) expect(json).toMatchObject({ result: {} })
    expect(await stopped).toBe(0)
    for (const pid of pids(gateway)) expect(isAlive(pid)).toBe(false)
    expect(lines(gateway, 'worker died; another takes its place')).toEqual([])
  })

  it('breaks no connection that came before the port was closed', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(gateway.url, undefined, {}, APART)
    let answered = 0
    const odd: string[] = []
    let isClosed = false
    const caller = async (): Promise<void> => {
      while (!isClosed) {
        try {
          const { status } = await session.call('a__echo')
          if (status === 200) answered++
          else odd.push(String(status))
        } catch (error) {
          isClosed = true
          // One that comes in the very moment is refused by a reset.
          if ((error as NodeJS.ErrnoException).syscall !== 'connect') odd.push(String(error))
        }
      }
    }
    const callers = Array.from({ length: 16 }, caller)
    await waitUntil(() => answered > 100, 'some load')
    expect(await gateway.stop()).toBe(0)
    await Promise.all(callers)
    expect(odd).toEqual([])
  })

  it('exits at once when it is told a second time, and its workers with it', async () => {
    await using gateway = await spawnTwo({
      targets: [],
      listen: { port: 0, drain: { delay: '1h' } },
    })
    const exited = once(gateway.process, 'exit')
    gateway.process.kill('SIGTERM')
    await waitUntil(() => lines(gateway, 'stopping').length > 0, 'the first signal')
    gateway.process.kill('SIGTERM')
    expect(await exited).toEqual([1, null])
    await waitUntil(() => !pids(gateway).some((it) => isAlive(it)), 'the workers to end')
  })

  it('by `kill -9` takes its workers and their child processes with it', async () => {
    await using gateway = await spawnTwo({ targets: [goodChild] })
    const session = await openSession(gateway.url, undefined, {}, APART)
    const seen = new Set<number>()
    for (let calls = 0; calls < 4; calls++) {
      const { text } = await session.call('child__pid')
      seen.add(Number(/"text":"(\d+)"/.exec(text)?.[1]))
    }
    expect([...seen].every((it) => isAlive(it))).toBe(true)
    await gateway.kill()
    const all = [...pids(gateway), ...seen]
    await waitUntil(() => !all.some((it) => isAlive(it)), 'all processes to end')
  })
})

describe('a gateway whose workers cannot begin', () => {
  it('says why, and exits with 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'junction-'))
    const file = join(folder, 'junction.json')
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    await writeFile(file, JSON.stringify({ workers: 2, admin: false, listen: { port: 0, tls } }))
    const run = promisify(execFile)(process.execPath, [CLI, 'serve', '--config', file])
    await expect(run).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^worker \d cannot begin: ENOENT/) as string,
    })
    await rm(folder, { recursive: true })
  })
})
