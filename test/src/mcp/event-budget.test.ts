import { describe, expect, it } from 'vitest'
import { EventBudget } from '../../../src/mcp/event-budget.js'
import { ResumableStreams } from '../../../src/mcp/resumable-stream.js'

const message = 'x'.repeat(1_000)

describe('what streams keep', () => {
  const several = (maxChars: number) => {
    const budget = new EventBudget(maxChars)
    const sessions = Array.from({ length: 4 }, () => new ResumableStreams(true, undefined, budget))
    const streams = sessions.map((it) => it.open())
    return { sessions, streams, remembered: () => streams.map((it) => it.remembers(0)) }
  }

  it('is forgotten by those that began the earliest, once all keep too much together', () => {
    const { streams, remembered } = several(3_500)
    for (const it of streams.slice(0, 3)) it.send(message)
    expect(remembered()).toEqual([true, true, true, true])
    streams[3]?.send(message)
    expect(remembered()).toEqual([false, true, true, true])
    // What comes from now on is kept again, and the next is the earliest.
    streams[0]?.send(message)
    expect(remembered()).toEqual([false, false, true, true])
    expect(streams[0]?.remembers(1)).toBe(true)
  })

  it('counts no more when the session is closed, or the stream is dropped', () => {
    const { sessions, streams, remembered } = several(3_500)
    for (const it of streams.slice(0, 3)) it.send(message)
    sessions[1]?.clear()
    // A call may still run.
    streams[1]?.send(message)
    streams[3]?.send(message)
    expect(remembered()).toEqual([true, false, true, true])
  })

  it('has lost its end where that is forgotten, and only for those who have not seen it', () => {
    const { streams } = several(1_500)
    const [first, second] = streams
    first?.send(message)
    first?.end()
    expect(first?.hasLostEnd(0)).toBe(false)
    second?.send(message)
    expect([first?.hasLostEnd(0), first?.hasLostEnd(1)]).toEqual([true, false])
    expect(second?.hasLostEnd(0)).toBe(false)
  })
})
