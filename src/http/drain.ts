/** How a gateway is stopped without anybody losing a call: out of service first, then closed, then cut. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { durationSchema } from '../../backends/index.js'

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

interface Entry {
  drain(): void
  /** Resolves when all is answered, or cuts it after so long. */
  close(deadlineMs: number): Promise<void>
}

export interface Leaving {
  readonly listener: Entry
  /** By which other processes bring what calls wait for that still run, and so the last that closes. */
  readonly peers: Entry | undefined
  /** No new connections from now on: streams end, so that their clients go elsewhere. */
  readonly onClosing: () => void
  /** Calls that still run are to fail now. */
  readonly onDeadline: () => void
}

/** Resolves when all connections are gone. */
export async function leave(
  { delay, deadline }: DrainSettings,
  { listener, peers, onClosing, onDeadline }: Leaving,
): Promise<void> {
  listener.drain()
  if (delay > 0) await sleep(delay)
  peers?.drain()
  onClosing()
  const late = setTimeout(onDeadline, deadline)
  const until = performance.now() + deadline + LAST_WORDS_MS
  await listener.close(deadline + LAST_WORDS_MS)
  await peers?.close(Math.max(0, until - performance.now()))
  clearTimeout(late)
}
