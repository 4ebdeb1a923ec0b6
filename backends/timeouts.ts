/** How long one server may take, for what. */
import { z } from 'zod'
import { duration, durationSchema } from './duration.js'

/** Deadlines in milliseconds; 0 means none. Long-lived streams are never cut by `callMs`. */
export interface Timeouts {
  readonly connectMs: number
  readonly openMs: number
  readonly listMs: number
  readonly callMs: number
  readonly idleMs: number
  /** In place of `callMs`, by globs over original names of tools; the first that fits holds. */
  readonly toolsMs: Readonly<Record<string, number>>
  /** Whether progress begins the time of a call anew. */
  readonly resetOnProgress: boolean
}

export const timeoutsSchema = z
  .strictObject({
    connect: duration('2s', 'TCP (and TLS) connection to the server.'),
    open: duration(
      '10s',
      'Opening an MCP session: start of the process or connection, and `initialize`.',
    ),
    list: duration('10s', 'Each list request while the catalog is filled.'),
    call: duration('60s', 'A call, with all its retries.'),
    idle: duration('0s', 'Silence on a stream after which it is taken for dead; 0s: never.'),
    tools: z
      .record(z.string().min(1).max(256), durationSchema)
      .prefault({})
      .describe(
        'In place of `call` for some tools: globs (`*`, `?`) over original names, the first that fits holds.',
      ),
    resetOnProgress: z
      .boolean()
      .prefault(true)
      .describe('Whether each progress notification begins the time of a call anew.'),
  })
  .prefault({})
  .transform(({ connect, open, list, call, idle, tools, resetOnProgress }): Timeouts => ({
    connectMs: connect,
    openMs: open,
    listMs: list,
    callMs: call,
    idleMs: idle,
    toolsMs: tools,
    resetOnProgress,
  }))
  .describe('Deadlines for this target; 0s means none.')
