/** What clients read as a child process dies or stands still, in calls and between them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { folderOf } from '../support/config.js'
import type { Era } from '../support/faulty-world.js'
import { outcomeOf } from '../support/faulty-world.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const ERAS: readonly Era[] = ['legacy', 'modern']
const FINE = ['answer', 'answer']

/** The process whose command line has this word in it. */
function pidOf(word: string): number {
  const found = readdirSync('/proc').find((it) => {
    if (!/^\d+$/.test(it) || Number(it) === process.pid) return false
    try {
      return readFileSync(`/proc/${it}/cmdline`, 'utf8').split('\0').includes(word)
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error(`no process with ${word}`)
  return Number(found)
}

describe.concurrent.each(ERAS)('a child process of the %s era', (era) => {
  async function startStdio() {
    const folder = await folderOf({})
    const word = join(folder.path, 'added.json')
    const program = fileURLToPath(new URL(`../contract/${era}-server.mjs`, import.meta.url))
    const args = [program, 'stdio', ...(era === 'legacy' ? ['2025-11-25'] : []), word]
    const stdio = { command: process.execPath, args, scope: 'shared' }
    const other = await startEcho()
    const gateway = await startGateway({
      targets: [
        { name: 'a', stdio },
        { name: 'other', mcp: { url: other.url } },
      ],
    })
    const clients = [await openSession(gateway.url), new ModernClient(gateway.url)] as const
    return {
      gateway,
      signal: (signal: NodeJS.Signals) => process.kill(pidOf(word), signal),
      call: (tool = 'a__plain') =>
        Promise.all(clients.map(async (it) => outcomeOf((await it.call(tool)).json))),
      [Symbol.asyncDispose]: async () => {
        await gateway.close()
        await other[Symbol.asyncDispose]()
        await folder[Symbol.asyncDispose]()
      },
    }
  }

  it('kill -9 in calls, and between them: the calls fail, and the next do not', async () => {
    await using it = await startStdio()
    expect(await it.call()).toEqual(FINE)
    const inFlight = it.call('a__hang')
    // Behind them on the same pipe.
    expect(await it.call()).toEqual(FINE)
    it.signal('SIGKILL')
    expect(await inFlight).toEqual(['unreachable', 'unreachable'])
    expect(await it.call('other__echo')).toEqual(FINE)
    expect(await it.call()).toEqual(FINE)
    it.signal('SIGKILL')
    await waitUntil(() => it.gateway.readiness().targets[0]?.ready === false, 'the loss')
    await waitUntil(() => it.gateway.readiness().targets[0]?.ready === true, 'the return')
    expect(await it.call()).toEqual(FINE)
  })

  it('SIGSTOP in a call: it waits, and goes on after SIGCONT', async () => {
    await using it = await startStdio()
    expect(await it.call()).toEqual(FINE)
    it.signal('SIGSTOP')
    const inFlight = it.call()
    expect(await it.call('other__echo')).toEqual(FINE)
    it.signal('SIGCONT')
    expect(await inFlight).toEqual(FINE)
  })
})
