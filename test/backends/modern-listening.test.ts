import { expect, it } from 'vitest'
import { ModernListening } from '../../backends/modern-listening.js'

it('keeps nobody waiting for a stream that was closed before the server took it', async () => {
  let given = 0
  const listening = new ModernListening({
    lists: { toolsListChanged: true },
    timeoutMs: 60_000,
    send: () => ({ stop: () => void given++ }),
    onNotification: () => undefined,
    onUnreachable: () => undefined,
    onGap: () => undefined,
  })
  const started = [listening.start(), listening.start()]
  // The first has asked by then.
  await Promise.resolve()
  listening.close()
  await Promise.all(started)
  expect(given).toBe(1)
})
