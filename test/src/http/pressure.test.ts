import { expect, it } from 'vitest'
import { Pressure } from '../../../src/http/pressure.js'
import { waitUntil } from '../../support/wait-until.js'

it('tells which share of the memory is in use', () => {
  const pressure = new Pressure(() => undefined)
  expect(pressure.memory).toBeGreaterThan(0)
  expect(pressure.memory).toBeLessThan(1)
  pressure.close()
})

it('takes a process for late that is so twice in a row', async () => {
  const delays: number[] = []
  const pressure = new Pressure(() => {
    delays.push(pressure.delayMs)
    // Something takes all the time there is.
    const until = performance.now() + 1_000
    while (performance.now() < until);
  })
  await waitUntil(() => delays.length >= 3, 'three looks')
  pressure.close()
  expect(delays[1]).toBeLessThan(900)
  expect(delays[2]).toBeGreaterThan(500)
})
