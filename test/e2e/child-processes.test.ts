import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { childServer } from '../support/child-server.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const server = (name: string, options: JsonObject = {}): JsonObject => ({
  name,
  stdio: {
    ...childServer(name),
    ...options,
  },
})

/** Whether the process runs; one that has ended and that nobody has waited for does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

async function ask(session: RawSession, tool: string, given: JsonObject = {}): Promise<string> {
  const { json } = await session.call(tool, given)
  const { content } = json['result'] as { content: { text: string }[] }
  return content[0]?.text ?? ''
}
const pidOf = async (session: RawSession, tool: string) => Number(await ask(session, tool))

describe('a server as a child process', () => {
  it('is shared by all clients, or one for each session, as its scope says', async () => {
    await using gateway = await startGateway({
      targets: [
        { ...server('good'), name: 'principal' },
        { ...server('good', { scope: 'shared' }), name: 'shared' },
        { ...server('good', { scope: 'session' }), name: 'session' },
      ],
    })
    const one = await openSession(gateway.url)
    const two = await openSession(gateway.url)
    for (const [tool, same] of [
      ['principal__pid', true],
      ['shared__pid', true],
      ['session__pid', false],
    ] as const) {
      const pids = [await pidOf(one, tool), await pidOf(two, tool)]
      expect(new Set(pids).size).toBe(same ? 1 : 2)
      expect(await pidOf(one, tool)).toBe(pids[0])
    }
    const own = await pidOf(one, 'session__pid')
    await one.delete()
    await waitUntil(() => !isAlive(own), 'the child of the session to end')
  })

  it('is sent no more than it reads, and goes on when it does again', async () => {
    await using gateway = await startGateway({ targets: [server('good')] })
    const session = await openSession(gateway.url)
    const pid = await pidOf(session, 'good__pid')
    process.kill(pid, 'SIGSTOP')
    const filler = 'x'.repeat(4_000_000)
    const calls = Array.from({ length: 30 }, () =>
      session.call('good__echo', { message: 1, filler }),
    )
    const refused = await Promise.any(
      calls.map(async (it) => {
        const { error } = (await it).json
        if (error === undefined) throw new Error('answered')
        return error
      }),
    )
    expect(refused).toMatchObject({ code: -32603, data: { target: 'good', reason: 'overloaded' } })
    process.kill(pid, 'SIGCONT')
    const answers = await Promise.all(calls)
    expect(answers.filter(({ json }) => json['result'] !== undefined).length).toBeGreaterThan(10)
    expect(await ask(session, 'good__echo', { message: 'again' })).toBe('again')
  })

  it('gets the environment it is given and little else', async () => {
    process.env['SECRET_OF_THE_GATEWAY'] = 'x'
    await using gateway = await startGateway({
      targets: [server('good', { env: { TOKEN: 't' }, cwd: '/tmp' })],
    })
    delete process.env['SECRET_OF_THE_GATEWAY']
    const session = await openSession(gateway.url)
    const env = JSON.parse(await ask(session, 'good__env')) as JsonObject
    expect(env['TOKEN']).toBe('t')
    expect(env['PATH']).toBe(process.env['PATH'])
    expect(env['SECRET_OF_THE_GATEWAY']).toBeUndefined()
    expect(await ask(session, 'good__cwd')).toBe('/tmp')
  })

  it('may print noise on stdout and floods on stderr [R83]', async () => {
    await using gateway = await startGateway({ targets: [server('noisy')] })
    const session = await openSession(gateway.url)
    for (let call = 0; call < 20; call++) {
      expect(await ask(session, 'noisy__echo', { message: String(call) })).toBe(String(call))
    }
    expect(await ask(session, 'noisy__slow', { ms: 100 })).toBe('done')
  })

  it('brings progress and is told of cancellation', async () => {
    await using gateway = await startGateway({ targets: [server('good')] })
    const session = await openSession(gateway.url)
    const { messages } = await session.request('tools/call', {
      name: 'good__slow',
      arguments: { ms: 30, steps: 3 },
      _meta: { progressToken: 'p' },
    })
    expect(messages.map((it) => (it['params'] as JsonObject | undefined)?.['progress'])).toEqual([
      1,
      2,
      3,
      undefined,
    ])
    const hanging = session.call('good__hang')
    await waitUntil(async () => {
      // The id of the hanging call is the one given out last.
      for (let id = 1; id < 10; id++)
        await session.notify('notifications/cancelled', { requestId: id })
      return Number(await ask(session, 'good__cancelled')) > 0
    }, 'the child to be told')
    expect((await hanging).messages).toEqual([])
  })

  it('that crashes in mid-call fails that call, is started again, and serves the next', async () => {
    await using other = await startEcho()
    await using gateway = await startGateway({
      targets: [server('good'), { name: 'other', mcp: { url: other.url } }],
    })
    const session = await openSession(gateway.url)
    const before = await pidOf(session, 'good__pid')
    const [hanging, crashed] = await Promise.all([
      session.call('good__hang'),
      session.call('good__crash'),
    ])
    for (const { json } of [hanging, crashed]) {
      expect(json).toMatchObject({
        error: { code: -32603, data: { target: 'good', reason: 'unreachable' } },
      })
    }
    const after = await pidOf(session, 'good__pid')
    expect(after).not.toBe(before)
    expect((await session.call('other__echo')).json).toMatchObject({ result: {} })
  })

  it('that is killed is started again, again and again [R84]', async () => {
    await using gateway = await startGateway({ targets: [server('good')] })
    const session = await openSession(gateway.url)
    for (let round = 0; round < 3; round++) {
      const pid = await pidOf(session, 'good__pid')
      process.kill(pid, 'SIGKILL')
      // A call that meets the death itself fails; the next ones find a new process.
      const next = async () => pidOf(session, 'good__pid').catch(() => pid)
      await waitUntil(async () => (await next()) !== pid, 'a new process to answer')
    }
  })

  it.each([
    [server('crash-at-start'), 'the process has exited'],
    [{ ...server('silent'), timeouts: { open: '200ms' } }, 'did not answer within 200 ms'],
    [{ name: 'missing', stdio: { command: 'no-such-program' } }, 'was not found'],
    [{ name: 'missing', stdio: { command: '/etc/passwd' } }, 'was not found'],
    [{ ...server('good', { cwd: '/no/such/folder' }) }, ''],
  ])('that does not start is reported: %j', async (target, reason) => {
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [target, { name: 'other', mcp: { url: good.url } }],
    })
    const [report] = gateway.readiness().targets
    expect(report?.ready).toBe(false)
    expect(report?.reason).toContain(reason)
    const session = await openSession(gateway.url)
    expect((await session.call('other__echo')).json).toMatchObject({ result: {} })
  })
})

describe('no child outlives the gateway', () => {
  const targets = [
    server('good'),
    server('never-exits'),
    server('grandchild', { scope: 'shared' }),
    { ...server('good', { scope: 'session' }), name: 'own' },
  ]

  async function startAll() {
    const gateway = await spawnGateway({ targets })
    const session = await openSession(gateway.url)
    const tools = ['good__pid', 'never-exits__pid', 'grandchild__pid', 'own__pid']
    const pids = await Promise.all(tools.map((it) => pidOf(session, it)))
    expect(pids.every(isAlive)).toBe(true)
    return { gateway, gone: () => pids.every((pid) => !isAlive(pid)) }
  }

  it('when it is told to stop', async () => {
    const { gateway, gone } = await startAll()
    await using _ = gateway
    expect(await gateway.stop()).toBe(0)
    // What its own parent has left is there until init has heard of its end.
    await waitUntil(gone, 'all children to end')
  })

  it.runIf(process.platform === 'linux')('when it is killed', async () => {
    const { gateway, gone } = await startAll()
    await using _ = gateway
    await gateway.kill()
    await waitUntil(gone, 'all children to end')
  })
})
