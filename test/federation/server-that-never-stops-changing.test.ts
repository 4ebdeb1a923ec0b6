import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Backend, JsonObject } from '../../backends/index.js'
import { RawJson } from '../../backends/index.js'
import { CatalogKeeper } from '../../federation/catalog-keeper.js'
import { catalog, target } from '../support/targets.js'

const TELLS_EVERY_MS = 5
const SECONDS = 10

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('is read twice a second, and once more after it has stopped', async () => {
  let edition = 0
  let reads = 0
  const { server } = catalog({}, { tools: { listChanged: true } })
  const backend = {
    target: target('a'),
    state: { status: 'ready', since: 0, server },
    async list() {
      reads++
      return RawJson.fromValue<JsonObject>({ tools: [{ name: `edition-${edition}` }] })
    },
  } as unknown as Backend
  const keeper = new CatalogKeeper(
    backend,
    {},
    { onCatalog() {}, onOddItem() {}, onRefreshed() {} },
  )
  keeper.refresh(['tools'], 'connected')
  await vi.advanceTimersByTimeAsync(0)
  const readBefore = reads

  while (edition < (SECONDS * 1000) / TELLS_EVERY_MS) {
    edition++
    keeper.refresh(['tools'], 'list_changed')
    await vi.advanceTimersByTimeAsync(TELLS_EVERY_MS)
  }
  expect(reads - readBefore).toBeGreaterThanOrEqual(2 * SECONDS - 2)
  expect(reads - readBefore).toBeLessThanOrEqual(2 * SECONDS)
  await vi.advanceTimersByTimeAsync(100)
  expect(keeper.catalog?.items.tools.map((it) => it.key)).toEqual([`edition-${edition}`])
  keeper.close()
})
