/** A worker that is alive and does nothing. */
import { expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { openSession } from '../support/raw-client.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'
import { APART, lines, pidOf, pids, ready, readyz, spawnTwo } from '../support/workers.js'

/** It is believed to be alive for so long, and a little more. */
const PATIENCE_MS = 60_000

it(
  'a worker that hangs is killed and replaced; its calls break, and all clients go on elsewhere',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    let hold = true
    await using upstream = await startEcho({
      handlers: {
        'tools/call': async (params, extra) => {
          if (hold && params['name'] === 'echo') await new Promise(() => undefined)
          return echo(params, extra)
        },
      },
    })
    await using gateway = await spawnTwo({
      listen: { port: 0, drain: { deadline: '1s' } },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url, undefined, {}, APART)
    const running = [1, 2].map((mark) =>
      session.call('a__echo', { mark }).then(
        () => 'answered',
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      ),
    )
    await waitUntil(() => upstream.asked('tools/call').length === 2, 'a call at each worker')
    hold = false
    const hanging = pidOf(gateway, 1)
    process.kill(hanging, 'SIGSTOP')
    // One of them comes to the worker that hangs, and to another one once that is known.
    const waiting = Array.from({ length: 4 }, () => session.call('a__echo', { mark: 3 }))
    const noticed = () => lines(gateway, 'worker hangs; it is killed').length > 0
    let report: JsonObject = {}
    await waitUntil(
      async () => {
        const { status, json } = await readyz(gateway)
        report = json
        return status === 503
      },
      'probes to tell',
      30_000,
    )
    expect(report).toMatchObject({
      ready: false,
      workers: [{ worker: 1, reason: 'no answer' }, { ready: true }],
    })
    await waitUntil(noticed, 'the hanging worker to be noticed', PATIENCE_MS)
    expect(lines(gateway, 'worker hangs; it is killed')).toMatchObject([
      { worker: 1, pid: hanging },
    ])
    expect(await Promise.race(running)).toMatch(/^ECONNRESET|socket hang up$/)
    for (const { json } of await Promise.all(waiting)) expect(json).toMatchObject({ result: {} })
    await waitUntil(() => pids(gateway).length === 3, 'the next')
    await ready(gateway)
    expect(lines(gateway, 'worker died; another takes its place')).toMatchObject([
      { worker: 1, signal: 'SIGKILL' },
    ])
    for (let calls = 0; calls < 4; calls++) {
      expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
    }
    expect(pidOf(gateway, 1)).not.toBe(hanging)
  },
)

it(
  'a worker that hangs as the gateway stops keeps it from nothing',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    await using gateway = await spawnTwo({ targets: [] })
    process.kill(pidOf(gateway, 2), 'SIGSTOP')
    expect(await gateway.stop()).toBe(0)
    expect(lines(gateway, 'worker hangs; it is killed')).toMatchObject([{ worker: 2 }])
  },
)
