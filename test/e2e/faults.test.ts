/**
 * Faults, each at each stage of a call, of servers of both eras and towards clients of both: what clients read, that no
 * call runs twice, that nothing else is touched, and that all is well afterwards without a request that has to fail first.
 * docs/reliability.md has the table.
 */
import { describe, expect, it } from 'vitest'
import type { Doing, Era } from '../support/faulty-world.js'
import {
  broken,
  freeze,
  kill,
  laid,
  meanwhile,
  shut,
  startClients,
  World,
} from '../support/faulty-world.js'
import type { Fault, Place } from '../support/faulty-wire.js'
import { drip, garbage, reset, silence } from '../support/faulty-wire.js'
import { waitUntil } from '../support/wait-until.js'

const ERAS: readonly Era[] = ['legacy', 'modern']
const FINE = ['answer', 'answer']
/** What is waited for in vain is not waited for long. */
const SHORT = '3s'

const FAULTS = { reset, silence, garbage, drip } satisfies Readonly<Record<string, Fault>>
type FaultName = keyof typeof FAULTS
const NAMES = Object.keys(FAULTS) as readonly FaultName[]

const ANSWER: Place = { method: 'tools/call', part: 'answer' }
const BODY: Place = { method: 'tools/call', part: 'body' }
const LISTS: Place = { method: 'tools/list', part: 'body' }
const OPENING: Readonly<Record<Era, Place>> = {
  legacy: { method: 'initialize', part: 'answer' },
  modern: { method: 'server/discover', part: 'answer' },
}

const STAGES = [
  ['with no answer yet', 'json', ANSWER],
  ['in the middle of a JSON body', 'json', BODY],
  ['in the middle of a stream', 'sse', BODY],
] as const

/** What both clients read of a call that the server has. */
const READ: Readonly<Record<FaultName, string>> = {
  reset: 'unreachable',
  silence: 'timeout',
  garbage: 'unreachable',
  drip: 'answer',
}

describe.concurrent.each(ERAS)('a call of a %s server', (era) => {
  describe.concurrent.each(STAGES)('%s', (_, framing, place) => {
    it.each(NAMES)('%s', async (name) => {
      await using world = await World.start(era, framing)
      await using clients = await startClients(world, name === 'silence' ? SHORT : undefined)
      expect(await clients.call()).toEqual(FINE)
      world.wire.lay(FAULTS[name], place)
      const inFlight = clients.call()
      await waitUntil(() => world.wire.hits > 0, 'the fault')
      await clients.othersWork()
      // In the middle of a stream garbage is no event; elsewhere the connection breaks with it.
      const read = name === 'garbage' && framing === 'sse' ? 'protocol' : READ[name]
      expect(await inFlight).toEqual([read, read])
      world.wire.heal()
      await clients.isBack()
      expect(await clients.call()).toEqual(FINE)
    })

    it.each([
      ['kill -9', kill, 'unreachable'],
      ['SIGSTOP, and SIGCONT in time', freeze, 'answer'],
    ] as const)('%s', async (_name, what, read) => {
      const doing = meanwhile(what, place)
      await using world = await World.start(era, framing)
      await using clients = await startClients(world)
      expect(await clients.call()).toEqual(FINE)
      await doing.begin(world)
      const inFlight = clients.call()
      await waitUntil(() => world.wire.hits > 0, 'the fault')
      await clients.othersWork()
      await doing.end(world)
      // The other of the two may have been answered before.
      const outcomes = await inFlight
      expect(outcomes).toContain(read)
      for (const outcome of outcomes) expect([read, 'answer']).toContain(outcome)
      await clients.isBack()
      expect(await clients.call()).toEqual(FINE)
    })
  })
})

/** From before the gateway begins. Nothing is known of the server's tools but where its answers come, however slowly. */
const BEFORE: readonly (readonly [string, string, (era: Era) => Doing])[] = [
  ['connections are refused', '-32602', () => shut],
  ['SIGSTOP', '-32602', () => freeze],
  ...NAMES.filter((it) => it !== 'drip').map(
    (it) => [`${it} at connections`, '-32602', () => laid(FAULTS[it])] as const,
  ),
  ...NAMES.flatMap((it) => {
    const read = it === 'drip' ? 'answer' : '-32602'
    return [
      [`${it} at the opening`, read, (era: Era) => laid(FAULTS[it], OPENING[era])],
      [`${it} in lists`, read, () => laid(FAULTS[it], LISTS)],
    ] as const
  }),
]

describe.concurrent.each(ERAS)('a %s server, from before it was ever connected to', (era) => {
  it.each(BEFORE)('%s: %s', async (_, read, doingOf) => {
    const doing = doingOf(era)
    await using world = await World.start(era)
    await doing.begin(world)
    await using clients = await startClients(world)
    await clients.othersWork()
    expect(await clients.call()).toEqual([read, read])
    await doing.end(world)
    await clients.isBack()
    expect(await clients.call()).toEqual(FINE)
  })
})

/** With what the next call may read where it comes before the fault is over. */
const BETWEEN: readonly (readonly [string, Doing, readonly string[]])[] = [
  ['kill -9', kill, ['unreachable']],
  ['a closed port', shut, ['unreachable']],
  ['SIGSTOP', freeze, ['timeout']],
  // It may be on its way already.
  ['a reset of all connections', broken('reset'), ['answer', 'unreachable']],
  ['silence on all connections', broken('silence'), ['timeout']],
]

describe.concurrent.each(ERAS)('a %s server, between calls', (era) => {
  it.each(BETWEEN)('%s, over before the next call: nothing is read of it', async (_, doing) => {
    await using world = await World.start(era)
    await using clients = await startClients(world)
    expect(await clients.call()).toEqual(FINE)
    await doing.begin(world)
    await clients.othersWork()
    await doing.end(world)
    await clients.isBack()
    expect(await clients.call()).toEqual(FINE)
  })

  it.each(BETWEEN)('%s, at the next call', async (_, doing, possible) => {
    await using world = await World.start(era)
    await using clients = await startClients(world, SHORT)
    expect(await clients.call()).toEqual(FINE)
    await doing.begin(world)
    const next = clients.call()
    await clients.othersWork()
    for (const outcome of await next) expect(possible).toContain(outcome)
    await doing.end(world)
    await clients.isBack()
    expect(await clients.call()).toEqual(FINE)
  })
})

describe.concurrent('a legacy server, as the sessions of clients are opened', () => {
  it.each(NAMES)('%s', async (name) => {
    await using world = await World.start('legacy')
    await using clients = await startClients(world)
    world.wire.lay(FAULTS[name], OPENING.legacy)
    const calls = clients.call()
    await clients.othersWork()
    expect(await calls).toEqual([READ[name], READ[name]])
    world.wire.heal()
    expect(await clients.call()).toEqual(FINE)
  })
})

describe.concurrent.each(ERAS)('a %s server, as its lists change', (era) => {
  it.each(NAMES)('%s: those before are served, and the new ones afterwards', async (name) => {
    await using world = await World.start(era)
    await using clients = await startClients(world)
    world.wire.lay(FAULTS[name], LISTS)
    await clients.add()
    await waitUntil(() => world.wire.hits > 0, 'the fault')
    expect(await clients.call()).toEqual(FINE)
    for (const list of await clients.lists()) expect(list).toContain('"a__plain"')
    world.wire.heal()
    const isNew = async () => (await clients.lists()).every((it) => it.includes('"a__added"'))
    await waitUntil(isNew, 'the new tool')
    expect(await clients.call()).toEqual(FINE)
  })
})
