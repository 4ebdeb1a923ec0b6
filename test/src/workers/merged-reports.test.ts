/** What the page shows of several workers is what it would show of one that had done all of it. */
import { describe, expect, it } from 'vitest'
import { Agents } from '../../../src/admin/agents.js'
import { historyReport, Traffic, trafficSummary } from '../../../src/admin/traffic.js'
import type { Operation } from '../../../src/telemetry/operations.js'
import { mergedReport } from '../../../src/workers/merged-reports.js'
import { operation } from '../../support/operations.js'

const now = Date.now()
const OPERATIONS: readonly Operation[] = Array.from({ length: 200 }, (_, index) =>
  operation({
    at: now - 3_300_000 + index * 15_000,
    durationMs: 1 + index ** 2 / 4,
    upstreamMs: index / 2,
    outcome: index % 7 === 0 ? 'failed' : 'ok',
    target: index % 3 === 0 ? 'a' : 'b',
    client: { name: `client-${index % 4}`, version: '1' },
  }),
)
/** Unequal shares, of unlike durations: averages of percentiles would be far off. */
const SHARES = [OPERATIONS.slice(0, 30), OPERATIONS.slice(30)] as const

function trafficOf(operations: readonly Operation[]): Traffic {
  const traffic = new Traffic()
  for (const it of operations) traffic.add(it)
  return traffic
}

const all = trafficOf(OPERATIONS)
const parts = SHARES.map(trafficOf)
const rest = { tallies: [], wanted: 2 }
const said = (
  what: (index: number) => Record<string, unknown>,
): Parameters<typeof mergedReport>[1]['said'] => [
  { worker: 1, what: what(0) },
  { worker: 2, what: what(1) },
]

describe('reports of several workers', () => {
  it('have the percentiles of all that happened', () => {
    const tallies = parts.map((it) => it.talliesFor('history', now))
    const merged = mergedReport('history', { ...rest, said: said(() => ({})), tallies })
    expect(merged).toEqual(historyReport(all.slots(now)))
  })

  it('add up what happened, and show each target as it is where it is worst', () => {
    const target = { name: 'a', state: 'ready', prefix: 'a' }
    const bad = { ...target, state: 'unreachable', reason: 'refused' }
    const tallies = parts.map((it) => it.talliesFor('targets', now))
    const rows = said((index) => ({
      targets: [index === 0 ? target : bad, { ...target, name: 'b' }],
      sources: [],
      resources: [],
      problems: [{ object: 'x', message: 'y' }],
    }))
    expect(mergedReport('targets', { ...rest, said: rows, tallies })).toEqual({
      targets: [
        { ...bad, worker: 2, traffic: all.of('a', now) },
        { ...target, name: 'b', traffic: all.of('b', now) },
      ],
      sources: [],
      resources: [],
      problems: [{ object: 'x', message: 'y' }],
    })
  })

  it('say how all of it is', () => {
    const tallies = parts.map((it) => it.talliesFor('status', now))
    const down = [{ target: 'b', ready: false, reason: 'no' }]
    const rows = said((index) => ({
      version: '1',
      ready: true,
      targets: { total: 2, up: 2 - index, down: index === 0 ? [] : down },
      sources: [],
      sessions: { legacy: 2, modern: 1 },
      denials: 400,
    }))
    expect(mergedReport('status', { ...rest, said: rows, tallies })).toEqual({
      version: '1',
      ready: true,
      targets: { total: 2, up: 1, down: [{ ...down[0], worker: 2 }] },
      sources: [],
      sessions: { legacy: 4, modern: 2 },
      denials: 500,
      traffic: trafficSummary(all.tally(now)),
    })
  })

  it('know an agent that came to several as one', () => {
    const agentsOf = (operations: readonly Operation[]) => {
      const agents = new Agents()
      for (const it of operations) agents.add(it)
      return agents.report() as { agents: { client: { name: string } }[] }
    }
    const rows = said((index) => agentsOf(SHARES[index] ?? []))
    const { agents } = mergedReport('agents', { ...rest, said: rows }) as ReturnType<
      typeof agentsOf
    >
    const sorted = (some: readonly { client: { name: string } }[]) =>
      some.toSorted((one, other) => one.client.name.localeCompare(other.client.name))
    const wanted = sorted(agentsOf(OPERATIONS).agents)
    expect(sorted(agents)).toHaveLength(4)
    for (const [index, agent] of sorted(agents).entries()) {
      const { count, failed } = wanted[index] as unknown as { count: number; failed: number }
      expect(agent).toMatchObject({ count, failed })
    }
  })

  it('know a session that several serve as one, and keep what nobody shows', () => {
    const row = { session: 's', idleMs: 5, running: 1, isHeard: false }
    const rows = said((index) => ({
      count: index === 0 ? 1 : 3,
      modernCallers: 1,
      sessions: [
        { ...row, idleMs: index * 10 },
        ...(index === 0 ? [] : [{ ...row, session: 't', isHeard: true }]),
      ],
    }))
    expect(mergedReport('sessions', { ...rest, said: rows })).toEqual({
      count: 3,
      modernCallers: 2,
      sessions: [
        { ...row, idleMs: 0, running: 2 },
        { ...row, session: 't', isHeard: true },
      ],
    })
  })

  it('put what happened in order, with the worker of each', () => {
    const rows = said((index) => ({
      operations: [{ at: 10 - index * 5, durationMs: index * 6, name: String(index) }],
    }))
    expect(mergedReport('operations', { ...rest, said: rows })).toMatchObject({
      operations: [
        { name: '1', worker: 2 },
        { name: '0', worker: 1 },
      ],
    })
  })
})
