import { expect, it } from 'vitest'
import { retryAfterMs } from '../../backends/retry-after.js'

const NOW = Date.parse('2026-07-28T12:00:00Z')

it.each([
  ['3', 3_000],
  [' 120 ', 120_000],
  ['0', 0],
  ['Tue, 28 Jul 2026 12:00:05 GMT', 5_000],
  ['Tue, 28 Jul 2026 11:00:00 GMT', 0],
  ['soon', undefined],
  ['-1 second', undefined],
  ['99999999999999', undefined],
  [undefined, undefined],
])('Retry-After: %s means %j', (text, expected) => {
  expect(retryAfterMs(text, NOW)).toBe(expected)
})
