import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Pulse } from '../../../src/workers/pulse.js'

class Worker {
  unanswered = 0
  hangs = false

  beat(): number {
    return this.hangs ? this.unanswered++ : 0
  }

  forgive(): void {
    this.unanswered = 0
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function start(now?: () => number) {
  const workers = [new Worker(), new Worker()] as const
  const hanging: Worker[] = []
  const pulse = new Pulse(
    () => workers,
    (it) => hanging.push(it),
    now,
  )
  return { workers, hanging, pulse }
}

it('a worker that does not answer for twenty seconds is taken for lost, and no other', () => {
  const { workers, hanging, pulse } = start()
  workers[1].hangs = true
  vi.advanceTimersByTime(20_000)
  expect(hanging).toEqual([])
  vi.advanceTimersByTime(5_000)
  expect(hanging).toEqual([workers[1]])
  pulse.close()
})

it('one that answers in between is none', () => {
  const { workers, hanging, pulse } = start()
  for (let times = 0; times < 5; times++) {
    workers[0].hangs = true
    vi.advanceTimersByTime(15_000)
    workers[0].forgive()
  }
  expect(hanging).toEqual([])
  pulse.close()
})

it('nobody is where the one that asks stood still itself', () => {
  let now = 0
  const { workers, hanging, pulse } = start(() => now)
  workers[0].hangs = true
  for (let times = 0; times < 10; times++) {
    now += times % 3 === 0 ? 60_000 : 5_000
    vi.advanceTimersByTime(5_000)
  }
  expect(hanging).toEqual([])
  pulse.close()
})
