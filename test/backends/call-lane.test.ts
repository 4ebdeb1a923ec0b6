import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { Pool } from 'undici'
import { CallLane } from '../../backends/call-lane.js'
import { target } from '../support/targets.js'
import { waitUntil } from '../support/wait-until.js'

/** A lane with one connection to a server that answers when it is told. */
async function startLane() {
  const asked: { readonly path: string; readonly response: ServerResponse }[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push({ path: url, response })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const newPool = () => new Pool(`http://127.0.0.1:${port}`, { connections: 1 })
  const lane = new CallLane(target('a').name, newPool())
  const outcomes = new Map<string, string>()
  /** Returns the way to give it up while it waits. */
  const send = (path: string, party: string): (() => void) => {
    let giveUp: () => void = () => undefined
    const handler = {
      onWaiting: (leave: () => void) => (giveUp = leave),
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: () => undefined,
      onResponseEnd: () => void outcomes.set(path, 'answered'),
      onResponseError: (_: unknown, error: Error) => void outcomes.set(path, error.message),
    }
    lane.dispatch({ method: 'GET', path }, handler, party)
    return () => giveUp()
  }
  return {
    lane,
    newPool,
    asked,
    outcomes,
    send,
    [Symbol.asyncDispose]: async () => {
      await lane.destroy()
      server.closeAllConnections()
      server.close()
    },
  }
}

it('forgets what was given up while it waited', async () => {
  await using it = await startLane()
  it.send('/first', 'a')
  const waiting = Array.from({ length: 1_000 }, (_, index) => it.send(`/${index}`, 'a'))
  for (const giveUp of waiting) giveUp()
  expect(it.lane.makeRoom(0)).toBe(false)
  it.send('/last', 'a')
  await waitUntil(() => it.asked.length === 1, 'the first')
  it.asked[0]?.response.end()
  await waitUntil(() => it.asked.length === 2, 'the last')
  expect(it.asked.map(({ path }) => path)).toEqual(['/first', '/last'])
})

it('goes on by itself where a connection breaks', async () => {
  await using it = await startLane()
  for (const path of ['/0', '/1', '/2']) it.send(path, 'a')
  for (const index of [0, 1, 2]) {
    await waitUntil(() => it.asked.length === index + 1, 'the next')
    it.asked[index]?.response.destroy()
  }
  await waitUntil(() => it.outcomes.size === 3, 'all to fail')
})

it('sends what waits over new connections where the old ones are given up', async () => {
  await using it = await startLane()
  it.send('/stuck', 'a')
  it.send('/waits', 'a')
  await waitUntil(() => it.asked.length === 1, 'the first')
  const old = it.lane.pool
  it.lane.use(it.newPool())
  await waitUntil(() => it.asked.length === 2, 'the other')
  it.asked[1]?.response.end()
  await waitUntil(() => it.outcomes.get('/waits') === 'answered', 'its answer')
  await old.destroy()
  expect(it.outcomes.has('/stuck')).toBe(true)
})

it('fails what waits, and what comes later, once it is destroyed', async () => {
  await using it = await startLane()
  it.send('/first', 'a')
  it.send('/waits', 'a')
  await it.lane.destroy()
  for (const path of ['/later', '/latest']) it.send(path, 'a')
  await waitUntil(() => it.outcomes.size === 4, 'all to fail')
  expect(it.outcomes.get('/waits')).toBe('it is no longer called')
})
