/** How a gateway is stopped without anybody losing a call: out of service first, then closed, then cut. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { durationSchema } from '../../backends/index.js'
import type { Listener } from './listener.js'

/** `listen.drain`. */
export const drainSchema = z
  .strictObject({
    delay: durationSchema
      .prefault('0s')
      .describe(
        'Time between the signal and the last new connection: `/readyz` says no, and balancers look elsewhere; everything is still served.',
      ),
    deadline: durationSchema
      .prefault('10s')
      .describe('How long calls may still run after that; then they are answered with an error.'),
  })
  .prefault({})
  .describe('What becomes of clients when the process is told to stop.')

export type DrainSettings = z.output<typeof drainSchema>

/** Calls given up at the deadline have this long to be answered with an error. */
const LAST_WORDS_MS = 1_000

export interface Leaving {
  /** For clients, and for whoever else gives this process something to do. */
  readonly listeners: readonly Pick<Listener, 'drain' | 'close'>[]
  /** No new connections from now on: streams end, so that their clients go elsewhere. */
  readonly onClosing: () => void
  /** Calls that still run are to fail now. */
  readonly onDeadline: () => void
}

/** Resolves when all connections are gone. */
export async function leave(
  { delay, deadline }: DrainSettings,
  { listeners, onClosing, onDeadline }: Leaving,
): Promise<void> {
  for (const listener of listeners) listener.drain()
  if (delay > 0) await sleep(delay)
  onClosing()
  const late = setTimeout(onDeadline, deadline)
  await Promise.all(listeners.map((it) => it.close(deadline + LAST_WORDS_MS)))
  clearTimeout(late)
}
